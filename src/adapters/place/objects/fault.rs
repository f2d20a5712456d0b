//! Why an object store did not do what it was asked, without anything that is secret.

use std::error::Error;
use std::fmt;

use crate::refusal::transport::TransportFault;

/// A fault on its way through the library, which hands it back as the cause of its own error.
#[derive(Clone, Debug)]
pub(super) struct CarriedFault(pub(super) TransportFault);

impl fmt::Display for CarriedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for CarriedFault {}

/// Returns the fault that an error of the library carries, or else its deepest cause.
///
/// The library's own sentences hold URLs, and a URL can hold a signature.
pub(super) fn fault_of(error: &object_store::Error) -> TransportFault {
    let mut cause: &(dyn Error + 'static) = error;
    loop {
        if let Some(CarriedFault(fault)) = cause.downcast_ref() {
            return fault.clone();
        }
        match cause.source() {
            Some(deeper) => cause = deeper,
            None => break,
        }
    }
    if let object_store::Error::NotFound { .. } = error {
        return TransportFault::NotFound {
            what: "the bucket".into(),
        };
    }
    TransportFault::Malformed {
        what: "the answer of the object store",
        said: without_queries(&cause.to_string()),
    }
}

/// Returns a text whose words end where the query of a URL would begin.
pub(super) fn without_queries(text: &str) -> String {
    let words = text.split_inclusive(char::is_whitespace);
    words
        .map(|word| match word.split_once('?') {
            Some((start, _)) => format!("{start} "),
            None => word.to_owned(),
        })
        .collect::<String>()
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fault_is_found_and_urls_lose_their_queries() {
        let generic = |source: Box<dyn Error + Send + Sync>| object_store::Error::Generic { store: "S3", source };
        let carried = generic(Box::new(generic(Box::new(CarriedFault(TransportFault::Timeout)))));
        assert_eq!(fault_of(&carried), TransportFault::Timeout);
        let other = fault_of(&generic("GET https://h/b?sig=SECRET&x failed".into()));
        assert!(!other.to_string().contains("SECRET"), "{other}");
        assert!(other.to_string().contains("GET https://h/b failed"), "{other}");
    }
}
