//! What an inventory's keys take, in our own words.

use super::{ApiVersion, ContainerStatus, Health, HostStatus};
use crate::{stack::Protocol, suggest};
use serde::{Deserializer, de::DeserializeOwned, de::Error as _, de::Visitor, de::value::Error};
use serde_json::Value;

/// An object of an inventory: what it is called, and what its keys take.
pub(super) struct Form {
    /// With its article.
    pub(super) what: &'static str,
    pub(super) keys: &'static [(&'static str, Takes)],
    /// The keys that must be there.
    pub(super) needed: &'static [&'static str],
}

/// What a key takes.
#[derive(Clone, Copy)]
pub(super) enum Takes {
    Text,
    /// A list of strings.
    Texts,
    Flag,
    /// A version of the Engine API.
    Api,
    Address,
    /// A number that is not negative.
    Amount,
    /// A whole number that is not negative.
    Whole,
    /// A whole number.
    Integer,
    Port,
    Time,
    /// An object of strings.
    Labels,
    /// One of these words.
    Word(fn() -> &'static [&'static str]),
    Object(&'static Form),
    List(&'static Form),
}

use Takes::{Address, Amount, Integer, Labels, Text, Texts, Time, Whole, Word};

pub(super) static HOST: Form = Form {
    what: "a host",
    keys: &[
        ("@id", Text),
        ("name", Text),
        ("ipAddress", Address),
        ("cpu", Amount),
        ("memory", Whole),
        ("status", Word(variants::<HostStatus>)),
        ("location", Text),
        ("rack", Text),
        ("labels", Labels),
        ("reserved", Takes::Object(&RESERVED)),
        ("cpuUsage", Amount),
        ("memoryUsage", Whole),
        ("memoryUsagePercent", Amount),
        ("lastMetricsUpdate", Time),
        ("lastSeen", Time),
        ("offlineSince", Time),
        ("drainingSince", Time),
        ("agentVersion", Text),
        ("dockerVersion", Text),
        ("engine", Takes::Object(&ENGINE)),
        ("bootId", Text),
        ("engineError", Text),
        ("engineAwaySince", Time),
    ],
    needed: &["@id"],
};

static ENGINE: Form = Form {
    what: "an engine",
    keys: &[("platforms", Texts), ("runtimes", Texts), ("gpus", Takes::Flag), ("apiVersion", Takes::Api)],
    needed: &[],
};

static RESERVED: Form = Form { what: "what is reserved", keys: &[("cpus", Amount), ("memory", Whole)], needed: &[] };

pub(super) static CONTAINER: Form = Form {
    what: "a container",
    keys: &[
        ("@id", Text),
        ("name", Text),
        ("executableName", Text),
        ("status", Word(variants::<ContainerStatus>)),
        ("hostedOn", Text),
        ("ports", Takes::List(&PORT)),
        ("labels", Labels),
        ("health", Word(variants::<Health>)),
        ("exitCode", Integer),
        ("endedWithEngine", Takes::Flag),
        ("endedByTask", Takes::Flag),
        ("ipAddress", Address),
        ("dateCreated", Time),
        ("settings", Takes::Object(&SETTINGS)),
    ],
    needed: &["@id", "name", "hostedOn"],
};

static PORT: Form = Form {
    what: "a port",
    keys: &[
        ("containerPort", Takes::Port),
        ("hostPort", Takes::Port),
        ("protocol", Word(variants::<Protocol>)),
        ("hostIP", Address),
    ],
    needed: &["containerPort"],
};

static SETTINGS: Form = Form {
    what: "settings",
    keys: &[
        ("restartPolicy", Text),
        ("nanoCpus", Integer),
        ("memory", Integer),
        ("memorySwap", Integer),
        ("pids", Integer),
        ("cpuShares", Integer),
        ("memoryReservation", Integer),
    ],
    needed: &[],
};

impl Takes {
    /// What is expected, with its article.
    pub(super) fn expected(self) -> String {
        match self {
            Self::Text => "a string".to_owned(),
            Self::Texts => "a list of strings".to_owned(),
            Self::Flag => "true or false".to_owned(),
            Self::Api => "an API version as in \"1.45\"".to_owned(),
            Self::Address => "an IP address as in \"10.0.0.1\"".to_owned(),
            Self::Amount => "a number that is not negative".to_owned(),
            Self::Whole => "a whole number that is not negative".to_owned(),
            Self::Integer => "a whole number".to_owned(),
            Self::Port => "a port, 1 to 65535".to_owned(),
            Self::Time => "a time as in \"2026-01-31T12:00:00Z\"".to_owned(),
            Self::Labels => "an object of strings".to_owned(),
            Self::Word(words) => format!("one of {}", suggest::list(words().iter().copied())),
            Self::Object(form) => format!("an object ({})", form.what),
            Self::List(form) => format!("a list, each of it {}", form.what),
        }
    }

    /// Whether it takes a value, as far as that can be seen without the type that it becomes.
    pub(super) fn accepts(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::Texts => value.as_array().is_some_and(|list| list.iter().all(Value::is_string)),
            Self::Flag => value.is_boolean(),
            Self::Api => value.as_str().is_some_and(|text| text.parse::<ApiVersion>().is_ok()),
            Self::Address => value.as_str().is_some_and(|text| text.parse::<std::net::IpAddr>().is_ok()),
            Self::Amount => value.as_f64().is_some_and(|number| number >= 0.0),
            Self::Whole => value.is_u64(),
            Self::Integer => value.is_i64(),
            Self::Port => value.as_u64().is_some_and(|number| (1..=65535).contains(&number)),
            Self::Time => value.as_str().is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok()),
            Self::Labels => value.as_object().is_some_and(|labels| labels.values().all(Value::is_string)),
            Self::Word(words) => value.as_str().is_some_and(|text| words().contains(&text)),
            Self::Object(_) => value.is_object(),
            Self::List(_) => value.is_array(),
        }
    }

    /// The word that was probably meant.
    pub(super) fn meant(self, value: &Value) -> Option<String> {
        let Self::Word(words) = self else { return None };
        let near = suggest::nearest(value.as_str()?, words().iter().copied())?;
        Some(format!("did you mean `{near}`?"))
    }
}

/// The words of an enumeration, as its own deserialisation names them.
fn variants<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut words: &'static [&'static str] = &[];
    // It has no value to give, so it fails once it has seen the names.
    let _ = T::deserialize(Names(&mut words));
    words
}

/// The keys of a type, as its own deserialisation names them.
#[cfg(test)]
pub(super) fn keys<T: DeserializeOwned>() -> &'static [&'static str] {
    variants::<T>()
}

struct Names<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Names<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("only the names are asked for"))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        *self.0 = words;
        self.deserialize_any(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        self.deserialize_any(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Capabilities, Host, ObservedContainer, ObservedPort},
        *,
    };
    use crate::{runtime::LiveSettings, stack::Reservations};
    use std::collections::BTreeSet;

    #[test]
    fn the_forms_have_the_keys_of_the_types_and_no_others() {
        let forms = [
            (&HOST, keys::<Host>()),
            (&CONTAINER, keys::<ObservedContainer>()),
            (&RESERVED, keys::<Reservations>()),
            (&ENGINE, keys::<Capabilities>()),
            (&PORT, keys::<ObservedPort>()),
            (&SETTINGS, keys::<LiveSettings>()),
        ];
        for (form, keys) in forms {
            let own: BTreeSet<&str> = form.keys.iter().map(|(key, _)| *key).collect();
            assert_eq!(own, keys.iter().copied().collect(), "{}", form.what);
            assert!(form.needed.iter().all(|needed| own.contains(needed)), "{}", form.what);
        }
        assert_eq!(variants::<HostStatus>(), ["active", "maintenance", "draining", "offline"]);
    }
}
