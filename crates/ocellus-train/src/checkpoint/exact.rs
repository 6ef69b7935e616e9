//! Floats as text in JSON: every bit comes back, and NaN and infinities do too.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

fn parse<E: de::Error>(text: &str) -> Result<f64, E> {
    text.parse().map_err(|_| E::custom(format!("`{text}` is no number")))
}

pub(crate) mod number {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(value: &f64, s: S) -> Result<S::Ok, S::Error> {
        value.to_string().serialize(s)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<f64, D::Error> {
        parse(&String::deserialize(d)?)
    }
}

pub(crate) mod option {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(value: &Option<f64>, s: S) -> Result<S::Ok, S::Error> {
        value.map(|v| v.to_string()).serialize(s)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<f64>, D::Error> {
        Option::<String>::deserialize(d)?.as_deref().map(parse).transpose()
    }
}

pub(crate) mod map {
    use std::collections::BTreeMap;

    use super::*;

    type Map<T> = BTreeMap<String, T>;

    pub(crate) fn serialize<S: Serializer>(map: &Map<f64>, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(map.iter().map(|(name, v)| (name, v.to_string())))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Map<f64>, D::Error> {
        let texts = Map::<String>::deserialize(d)?;
        texts.into_iter().map(|(name, text)| Ok((name, parse(&text)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Numbers {
        #[serde(with = "number")]
        one: f64,
        #[serde(with = "option")]
        maybe: Option<f64>,
        #[serde(with = "map")]
        many: BTreeMap<String, f64>,
    }

    proptest! {
        #[test]
        fn every_bit_of_a_number_comes_back(bits in any::<u64>()) {
            let one = f64::from_bits(bits);
            prop_assume!(!one.is_nan());
            let numbers = Numbers { one, maybe: Some(one), many: [("a".into(), one)].into() };
            let text = serde_json::to_string(&numbers).unwrap();
            let back: Numbers = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(back.one.to_bits(), one.to_bits());
            prop_assert_eq!(back.maybe, Some(one));
            prop_assert_eq!(back.many["a"].to_bits(), one.to_bits());
        }
    }

    #[test]
    fn a_nan_comes_back_as_one() {
        let numbers = Numbers { one: f64::NAN, maybe: None, many: BTreeMap::new() };
        let back: Numbers =
            serde_json::from_str(&serde_json::to_string(&numbers).unwrap()).unwrap();
        assert!(back.one.is_nan() && back.maybe.is_none());
    }
}
