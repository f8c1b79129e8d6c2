//! Numbers in JSON, which ProtoJSON has as numbers or as texts of them. pbjson reads each as a text first and makes an error of
//! those that are none, which takes longer than the number.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error, IntoDeserializer as _, Visitor};

/// What generated code reads a number as.
pub struct Number<T>(
    /// The number.
    pub T,
);

impl<'de, T: Deserialize<'de> + FromStr<Err: fmt::Display>> Deserialize<'de> for Number<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OfEither(PhantomData)).map(Self)
    }
}

struct OfEither<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + FromStr<Err: fmt::Display>> Visitor<'de> for OfEither<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a text of one")
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        T::deserialize(number.into_deserializer())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        T::deserialize(number.into_deserializer())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        T::deserialize(number.into_deserializer())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: for<'a> Deserialize<'a> + FromStr<Err: fmt::Display>>(json: &str) -> Option<T> {
        serde_json::from_str::<Number<T>>(json).ok().map(|number| number.0)
    }

    #[test]
    fn numbers_and_texts_of_them_are_read_alike() {
        assert_eq!(["1", "-2", "0.1", "\"0.1\"", "1e300"].map(read::<f64>), [1.0, -2.0, 0.1, 0.1, 1e300].map(Some));
        assert_eq!(read::<f64>("\"-Infinity\""), Some(f64::NEG_INFINITY));
        assert!(read::<f64>("\"NaN\"").is_some_and(f64::is_nan));
        let least = ["-9223372036854775808", "\"-9223372036854775808\""];
        assert_eq!(least.map(read::<i64>), [Some(i64::MIN); 2]);
        assert_eq!(["4294967295", "\"4294967295\""].map(read::<u32>), [Some(u32::MAX); 2]);
    }

    #[test]
    fn what_is_no_such_number_is_refused() {
        for json in ["null", "true", "[]", "{}", "\"\"", "\"x\"", "1.5", "-1", "4294967296", "\"4294967296\""] {
            assert_eq!(read::<u32>(json), None, "{json}");
        }
        for json in ["null", "true", "[1]", "\"one\""] {
            assert_eq!(read::<f64>(json), None, "{json}");
        }
    }

    #[test]
    fn generated_code_reads_numbers_by_it() {
        let range = serde_json::from_str::<crate::common::v1::Range>(r#"{"low": "0.5", "likely": 1, "high": 2.5}"#);
        let range = range.unwrap();
        assert_eq!([range.low, range.likely, range.high].map(Some), [0.5, 1.0, 2.5].map(Some));
        let told = serde_json::from_str::<crate::common::v1::Range>(r#"{"low": true}"#).unwrap_err().to_string();
        assert!(told.contains("expected a number or a text of one"), "{told}");
    }
}
