//! Recognises models whose files are protobuf messages: ONNX, Core ML, and frozen graphs of TensorFlow.
//!
//! Such a message has no magic. It is recognised by the numbers and types of its fields, down to the name of an
//! operation.

use super::protobuf::{Field, FieldBytes, Message, Value};
use super::sample::Sample;

/// Returns the start of a content as a message.
fn message<'a>(sample: &Sample<'a>) -> Message<'a> {
    Message::of(FieldBytes {
        bytes: sample.head,
        cut: sample.size > sample.head.len() as u64 || sample.tail.is_none(),
    })
}

/// Returns whether this is an ONNX model with weights: the version, texts about its maker, and a graph.
pub fn is_onnx(sample: &Sample) -> bool {
    let mut has_version = false;
    for field in message(sample) {
        let Ok(Field { number, value }) = field else {
            return false;
        };
        match (number, value) {
            (1, Value::Number(1..=99)) if !has_version => has_version = true,
            (7, Value::Bytes(graph)) => return has_version && has_weights(graph) == Some(true),
            (2..=4 | 6, Value::Bytes(text)) if has_version && text.is_text() => {}
            (5, Value::Number(_)) | (8 | 14 | 20 | 25 | 26, Value::Bytes(_)) if has_version => {}
            _ => return false,
        }
    }
    false
}

/// Fewest numbers in the attributes of nodes that are weights.
const WEIGHTS: usize = 64;

/// Returns whether a graph of ONNX has weights, or is so long that they are out of reach. `None` if it is not a graph.
fn has_weights(graph: FieldBytes) -> Option<bool> {
    let mut nodes = 0;
    let mut weights = 0;
    for field in Message::of(graph) {
        match field.ok()? {
            Field {
                number: 1,
                value: Value::Bytes(node),
            } => {
                weights += weights_of(node)?;
                nodes += 1;
            }
            Field {
                number: 5,
                value: Value::Bytes(tensor),
            } => return is_tensor(tensor).then_some(nodes > 0),
            Field {
                number: 2 | 10,
                value: Value::Bytes(text),
            } if text.is_text() => {}
            Field {
                number: 11..=16,
                value: Value::Bytes(_),
            } => {}
            _ => return None,
        }
    }
    Some(nodes > 0 && (graph.cut || weights >= WEIGHTS))
}

/// Returns how many weights the attributes of a node of an ONNX graph have. Of a node of classic machine learning, all
/// of whose weights are attributes, a few count as many. `None` if it is not a node: names of inputs and outputs, and
/// an operation.
fn weights_of(node: FieldBytes) -> Option<usize> {
    let mut has_operation = node.cut;
    let mut weights = 0;
    let mut is_classic = false;
    for field in Message::of(node) {
        match field.ok()? {
            Field {
                number: 7,
                value: Value::Bytes(domain),
            } if domain.is_text() => {
                is_classic = domain.bytes == b"ai.onnx.ml";
            }
            Field {
                number: 1..=3 | 6 | 8,
                value: Value::Bytes(text),
            } if text.is_text() => {}
            Field {
                number: 4,
                value: Value::Bytes(name),
            } if name.is_identifier() => has_operation = true,
            Field {
                number: 5,
                value: Value::Bytes(attribute),
            } => weights += numbers_of(attribute)?,
            Field {
                number: 9 | 10,
                value: Value::Bytes(_),
            } => {}
            _ => return None,
        }
    }
    has_operation.then_some(if is_classic { weights * WEIGHTS } else { weights })
}

/// Returns how many numbers an attribute of a node has, as a list or in a tensor. `None` if it is not an attribute.
fn numbers_of(attribute: FieldBytes) -> Option<usize> {
    let mut numbers = 0;
    for field in Message::of(attribute) {
        match field.ok()? {
            Field {
                number: 7,
                value: Value::Fixed,
            } => numbers += 1,
            Field {
                number: 5 | 7,
                value: Value::Bytes(part),
            } => numbers += part.bytes.len() / 4,
            _ => {}
        }
    }
    Some(numbers)
}

/// Returns whether this is a tensor of ONNX: dimensions, and a type.
fn is_tensor(tensor: FieldBytes) -> bool {
    let mut has_type = false;
    for field in Message::of(tensor) {
        match field {
            Ok(Field {
                number: 1,
                value: Value::Number(_) | Value::Bytes(_),
            }) => {}
            Ok(Field {
                number: 2,
                value: Value::Number(1..=64),
            }) => has_type = true,
            Ok(Field {
                number: 3..=14 | 16,
                value: Value::Bytes(_) | Value::Number(_) | Value::Fixed,
            }) => {}
            _ => return false,
        }
    }
    has_type
}

/// Returns whether this is a Core ML model: the version, the description of inputs and outputs, and a kind of model.
pub fn is_coreml(sample: &Sample) -> bool {
    let mut has_version = false;
    let mut is_described = false;
    for field in message(sample) {
        match field {
            Ok(Field {
                number: 1,
                value: Value::Number(1..=99),
            }) if !has_version => has_version = true,
            Ok(Field {
                number: 2,
                value: Value::Bytes(text),
            }) if has_version && describes(text) => is_described = true,
            Ok(Field {
                number: 10,
                value: Value::Number(0..=1),
            }) => {}
            Ok(Field {
                number: 200..=3000,
                value: Value::Bytes(_),
            }) => return is_described,
            _ => return false,
        }
    }
    false
}

/// Returns whether this describes inputs, outputs or functions of a model.
fn describes(description: FieldBytes) -> bool {
    let mut features = 0;
    for field in Message::of(description) {
        match field {
            Ok(Field {
                number: 1 | 10 | 20,
                value: Value::Bytes(feature),
            }) if has_name(feature) => features += 1,
            Ok(Field {
                number: 11..=14 | 21..=100,
                value: Value::Bytes(_),
            }) => {}
            _ => return false,
        }
    }
    features > 0
}

/// Returns whether a message begins with a name.
fn has_name(named: FieldBytes) -> bool {
    matches!(
        Message::of(named).next(),
        Some(Ok(Field { number: 1, value: Value::Bytes(name) })) if !name.bytes.is_empty() && name.is_text()
    )
}

/// Returns whether this is a graph of TensorFlow that contains constants, as one does whose weights are frozen in it.
pub fn is_frozen_graph(sample: &Sample) -> bool {
    for field in message(sample) {
        match field {
            Ok(Field {
                number: 1,
                value: Value::Bytes(node),
            }) => match operation(node) {
                Some(Some(b"Const")) => return true,
                Some(_) => {}
                None => return false,
            },
            Ok(
                Field {
                    number: 2 | 4,
                    value: Value::Bytes(_),
                }
                | Field {
                    number: 3,
                    value: Value::Number(_),
                },
            ) => {}
            _ => return false,
        }
    }
    false
}

/// Returns the name of the operation of a TensorFlow node, if its attributes give it a value; `None` if this is not a
/// node.
fn operation(node: FieldBytes<'_>) -> Option<Option<&[u8]>> {
    let mut fields = Message::of(node);
    let mut text = |expected: u64| match fields.next()?.ok()? {
        Field {
            number,
            value: Value::Bytes(text),
        } if number == expected => Some(text),
        _ => None,
    };
    let (name, operation) = (text(1)?, text(2)?);
    if name.bytes.is_empty() || !name.is_text() || !operation.is_identifier() {
        return None;
    }
    let mut has_value = false;
    for field in fields {
        match field.ok()? {
            Field {
                number: 3 | 4,
                value: Value::Bytes(text),
            } if text.is_text() => {}
            Field {
                number: 5,
                value: Value::Bytes(attribute),
            } if has_name(attribute) => {
                has_value = has_value || attribute.bytes.starts_with(b"\x0a\x05value\x12");
            }
            Field {
                number: 6 | 7,
                value: Value::Bytes(_),
            } => {}
            _ => return None,
        }
    }
    Some(has_value.then_some(operation.bytes))
}
