//! One entry of the section `upstreams`.

use serde::Deserialize;
use serde::de::{self, Deserializer};

use crate::setting::Spanned;

/// A named group behind the door: what it serves and where it is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Full names of the gRPC services, for example `user.v1.UserService`. An upstream that gets only a part of the
    /// calls of others (`load_balancing.split`) has none of its own.
    #[serde(default)]
    pub(crate) services: Vec<Spanned<String>>,
    /// Where it is.
    pub(crate) endpoints: Vec<Spanned<Place>>,
}

/// One line of `endpoints`: an address, or an address with a weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The address as written.
    pub(crate) address: String,
    /// How many calls each endpoint there gets, compared to others.
    pub(crate) weight: u32,
}

/// The heaviest weight: beside it a weight of one is still a call in a thousand.
const HEAVIEST: u32 = 1000;

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Weighted {
            address: String,
            #[serde(default = "one")]
            weight: u32,
        }
        struct Either;
        impl<'de> de::Visitor<'de> for Either {
            type Value = Weighted;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an address, or { address: ADDRESS, weight: NUMBER }")
            }

            fn visit_str<E: de::Error>(self, address: &str) -> Result<Weighted, E> {
                Ok(Weighted { address: address.to_owned(), weight: 1 })
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Weighted, A::Error> {
                Weighted::deserialize(de::value::MapAccessDeserializer::new(map))
            }
        }
        let Weighted { address, weight } = deserializer.deserialize_any(Either)?;
        if !(1..=HEAVIEST).contains(&weight) {
            let message = format!(
                "`{weight}` is not a weight: write a whole number from 1 to {HEAVIEST}, or leave the endpoint out"
            );
            return Err(de::Error::custom(message));
        }
        Ok(Self { address, weight })
    }
}

fn one() -> u32 {
    1
}
