//! YAML and TOML written by other tools: profiles, and the configurations of hook managers.

use saphyr_parser::{Event, Parser};

/// Most levels of nesting, more than people write. The parser takes some hundred bytes of memory for each level.
const MAX_DEPTH: usize = 128;

/// Returns the `schema_version` of a YAML mapping that also has a `profile_id`. Both must be scalars of the outermost
/// mapping.
pub fn profile_version(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    if !text.contains("schema_version") || !text.contains("profile_id") {
        return None;
    }
    // A hostile document may have very many keys, so keep only these two.
    let (mut schema_version, mut profile_id) = (None, false);
    let mut depth = 0;
    // At depth 1, keys and values of the outermost mapping alternate.
    let mut key: Option<String> = None;
    for event in Parser::new_from_str(text) {
        let (event, _) = event.ok()?;
        match event {
            Event::MappingStart(..) if depth == 0 => depth = 1,
            Event::SequenceStart(..) if depth == 0 => return None,
            Event::Scalar(..) if depth == 0 => return None,
            Event::MappingStart(..) | Event::SequenceStart(..) if depth == MAX_DEPTH => return None,
            Event::MappingStart(..) | Event::SequenceStart(..) => depth += 1,
            Event::MappingEnd | Event::SequenceEnd => {
                depth -= 1;
                match depth {
                    0 => break,
                    1 => key = if key.is_some() { None } else { Some(String::new()) },
                    _ => {}
                }
            }
            Event::Scalar(value, ..) if depth == 1 => match key.take() {
                None => key = Some(value.into_owned()),
                Some(key) if key == "schema_version" => schema_version = Some(value.into_owned()),
                Some(key) => profile_id |= key == "profile_id",
            },
            Event::Alias(_) if depth == 1 => key = if key.is_some() { None } else { Some(String::new()) },
            _ => {}
        }
    }
    schema_version.filter(|_| profile_id)
}

/// Most values in a configuration, more than any real one has.
const MAX_NODES: usize = 20_000;

/// A value of a configuration.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// A text, number or other single value, as spelled in the file.
    Scalar(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// Parses YAML, which includes JSON. `None` if it has aliases, keys that are not scalars, duplicate keys, or too
    /// many values.
    pub fn of_yaml(text: &str) -> Option<Self> {
        let mut open: Vec<(Node, Option<String>)> = Vec::new();
        let mut whole = None;
        let mut nodes = 0;
        for event in Parser::new_from_str(text) {
            if open.len() > MAX_DEPTH {
                return None;
            }
            let node = match event.ok()?.0 {
                Event::Scalar(value, ..) => Node::Scalar(value.into_owned()),
                Event::SequenceStart(..) => {
                    open.push((Node::List(Vec::new()), None));
                    continue;
                }
                Event::MappingStart(..) => {
                    open.push((Node::Map(Vec::new()), None));
                    continue;
                }
                Event::SequenceEnd | Event::MappingEnd => open.pop()?.0,
                Event::Alias(_) => return None,
                _ => continue,
            };
            nodes += 1;
            if nodes > MAX_NODES || whole.is_some() {
                return None;
            }
            match open.last_mut() {
                None => whole = Some(node),
                Some((Node::List(items), _)) => items.push(node),
                Some((Node::Map(fields), key)) => match (key.take(), node) {
                    (Some(name), value) => fields.push((name, value)),
                    (None, Node::Scalar(name)) if fields.iter().all(|(other, _)| *other != name) => *key = Some(name),
                    (None, _) => return None,
                },
                Some((Node::Scalar(_), _)) => return None,
            }
        }
        whole
    }

    /// Parses TOML.
    pub fn of_toml(text: &str) -> Option<Self> {
        fn of(value: toml::Value) -> Node {
            match value {
                toml::Value::Array(items) => Node::List(items.into_iter().map(of).collect()),
                toml::Value::Table(fields) => {
                    Node::Map(fields.into_iter().map(|(key, value)| (key, of(value))).collect())
                }
                toml::Value::String(text) => Node::Scalar(text),
                other => Node::Scalar(other.to_string()),
            }
        }
        toml::from_str::<toml::Table>(text)
            .ok()
            .map(|table| of(toml::Value::Table(table)))
    }

    /// Returns the value under a key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.fields()
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
    }

    /// Returns the fields of a mapping. Empty for any other value.
    pub fn fields(&self) -> &[(String, Node)] {
        match self {
            Self::Map(fields) => fields,
            _ => &[],
        }
    }

    /// Returns the items of a list. Empty for any other value.
    pub fn items(&self) -> &[Node] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    /// Returns the text of a scalar. `None` for any other value.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// Returns whether this is a mapping with no other keys than these.
    pub fn has_only(&self, keys: &[&str]) -> bool {
        matches!(self, Self::Map(_)) && self.fields().iter().all(|(key, _)| keys.contains(&key.as_str()))
    }

    /// Returns whether this is a mapping with the scalar `value` under `key`.
    pub fn says(&self, key: &str, value: &str) -> bool {
        self.get(key).and_then(Node::text) == Some(value)
    }
}
