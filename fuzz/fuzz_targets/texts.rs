//! Reads any bytes as a file under `FULL/`. A document that was read writes the same bytes again.
#![no_main]

use gitpack::format::dump::read::{ParsedTexts, read};
use gitpack::format::dump::text::TextWatch;
use gitpack::format::dump::write::{Heading, Kinds, Top, Whole, Writer};
use gitpack::refusal::Refusal;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut texts: Vec<(Heading, Vec<u8>)> = Vec::new();
    let document = read(bytes, true, &mut |heading, content| {
        let mut original = Vec::new();
        content.original.read_to_end(&mut original).map_err(Refusal::io("reading", "".as_ref()))?;
        let text = content.converted.map(|text| text.as_bytes().to_vec());
        texts.push((heading.clone(), text.unwrap_or(original)));
        Ok(())
    });
    let Ok(ParsedTexts { subject, whole: Some((anchors, others)), .. }) = document else {
        return;
    };
    let top = Top {
        subject: &subject,
        texts: (texts.len() as u64, texts.iter().map(|(heading, _)| heading.size).sum()),
        whole: Some(Whole { anchors: &anchors, others: &others }),
        kinds: Kinds::of(texts.iter().map(|(heading, _)| heading)),
    };
    let mut writer = Writer::begin(Vec::new(), &top).unwrap();
    for (heading, text) in &texts {
        let mut watch = TextWatch::default();
        watch.see(text);
        writer.text(heading, &watch.shape().unwrap(), &mut text.as_slice()).unwrap();
    }
    assert_eq!(writer.finish().unwrap(), bytes);
});
