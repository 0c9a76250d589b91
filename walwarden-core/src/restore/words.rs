//! The words for a restore's choices, which the command line and every language take.

use std::str::FromStr;

use super::{Check, Mode, Scope, Spooling};
use crate::error::{Code, Error, Result};

macro_rules! words {
    ($name:literal: $choice:ident { $($word:literal => $variant:ident),+ }) => {
        impl FromStr for $choice {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                match text {
                    $($word => Ok($choice::$variant),)+
                    _ => Err(unknown($name, &[$($word),+], text)),
                }
            }
        }
    };
}

words!("mode": Mode { "new_database" => NewDatabase, "in_place" => InPlace });
words!("scope": Scope { "all" => All, "schema_only" => SchemaOnly, "data_only" => DataOnly });
words!("check": Check { "none" => None, "counts" => Counts, "digests" => Digests });
words!("spooling": Spooling { "where_needed" => WhereNeeded, "always" => Always, "never" => Never });

fn unknown(name: &str, words: &[&str], text: &str) -> Error {
    let words = words.join(", ");
    Error::new(Code::ArgumentInvalid, format!("{name} is one of {words} {name}={text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_none_is_told_with_those_that_are() {
        assert_eq!("in_place".parse::<Mode>().unwrap(), Mode::InPlace);
        let error = "sideways".parse::<Mode>().unwrap_err();
        assert_eq!(error.code(), Code::ArgumentInvalid);
        assert_eq!(error.to_string(), "mode is one of new_database, in_place mode=\"sideways\"");
    }
}
