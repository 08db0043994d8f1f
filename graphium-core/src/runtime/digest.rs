//! A canonical form of values in bytes, for hashing.
//!
//! Every value stands behind a byte that tells its kind, and everything of variable length behind its length, so two
//! different values never look alike. The entries of maps are put in order; the fields of structs stand in that of
//! their declaration, with their names, and what serde leaves out does not count. So a field that is added and left
//! out by default changes no hash.

use serde::ser::{self, Serialize};
use std::fmt;

/// Takes values and keeps their bytes.
#[derive(Debug, Default)]
pub(crate) struct Digest {
    bytes: Vec<u8>,
    /// The name of a struct, and those of its fields that do not count.
    without: (&'static str, &'static [&'static str]),
}

impl Digest {
    /// Leaves these fields out of every struct of this name.
    pub(crate) fn without(name: &'static str, fields: &'static [&'static str]) -> Self {
        Self { bytes: Vec::with_capacity(1024), without: (name, fields) }
    }

    /// The bytes of one value; the memory is used again for the next.
    ///
    /// A value whose `Serialize` fails by itself counts as far as it came.
    pub(crate) fn of(&mut self, value: &impl Serialize) -> &[u8] {
        self.bytes.clear();
        let _ = value.serialize(&mut *self);
        &self.bytes
    }

    fn kind(&mut self, kind: u8) {
        self.bytes.push(kind);
    }

    fn fixed(&mut self, kind: u8, bytes: &[u8]) -> Result<(), Failure> {
        self.kind(kind);
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn text(&mut self, text: &[u8]) {
        push_count(&mut self.bytes, text.len() as u64);
        self.bytes.extend_from_slice(text);
    }

    fn open(&mut self, kind: u8) -> Open<'_> {
        self.kind(kind);
        Open { digest: self, passed_over: &[], entries: Vec::new() }
    }
}

/// Adds a count in LEB128 (the Dwarf debugging format, version 4, section 7.6): seven bits a byte, for most lengths are small.
pub(crate) fn push_count(bytes: &mut Vec<u8>, mut count: u64) {
    while count >= 0x80 {
        bytes.push((count & 0x7f) as u8 | 0x80);
        count >>= 7;
    }
    bytes.push((count & 0x7f) as u8);
}

/// A `Serialize` that failed by itself.
#[derive(Debug)]
pub(crate) struct Failure;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value does not serialise")
    }
}

impl std::error::Error for Failure {}

impl ser::Error for Failure {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// A value of several parts, until its end.
pub(crate) struct Open<'d> {
    digest: &'d mut Digest,
    passed_over: &'static [&'static str],
    /// Where the entries of a map begin.
    entries: Vec<usize>,
}

impl Open<'_> {
    fn part(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), Failure> {
        value.serialize(&mut *self.digest)
    }

    fn field(&mut self, name: &'static str, value: &(impl Serialize + ?Sized)) -> Result<(), Failure> {
        if self.passed_over.contains(&name) {
            return Ok(());
        }
        self.digest.text(name.as_bytes());
        self.part(value)
    }

    fn close(self) -> Result<(), Failure> {
        if self.entries.len() > 1 {
            self.digest.order(&self.entries);
        }
        self.digest.kind(b')');
        Ok(())
    }
}

impl Digest {
    /// Puts the entries of a map in order, of which the last one ends where the bytes end.
    fn order(&mut self, entries: &[usize]) {
        let Some(&first) = entries.first() else { return };
        let ends = entries.iter().skip(1).copied().chain([self.bytes.len()]);
        let mut parts: Vec<&[u8]> = entries.iter().zip(ends).map(|(start, end)| &self.bytes[*start..end]).collect();
        if !parts.is_sorted() {
            parts.sort_unstable();
            let ordered = parts.concat();
            self.bytes.truncate(first);
            self.bytes.extend_from_slice(&ordered);
        }
    }
}

impl<'d> ser::Serializer for &'d mut Digest {
    type Ok = ();
    type Error = Failure;
    type SerializeSeq = Open<'d>;
    type SerializeTuple = Open<'d>;
    type SerializeTupleStruct = Open<'d>;
    type SerializeTupleVariant = Open<'d>;
    type SerializeMap = Open<'d>;
    type SerializeStruct = Open<'d>;
    type SerializeStructVariant = Open<'d>;

    fn serialize_bool(self, value: bool) -> Result<(), Failure> {
        self.fixed(b'b', &[u8::from(value)])
    }

    fn serialize_i8(self, value: i8) -> Result<(), Failure> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), Failure> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), Failure> {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<(), Failure> {
        self.fixed(b'i', &value.to_le_bytes())
    }

    fn serialize_u8(self, value: u8) -> Result<(), Failure> {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), Failure> {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), Failure> {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<(), Failure> {
        self.fixed(b'u', &value.to_le_bytes())
    }

    fn serialize_f32(self, value: f32) -> Result<(), Failure> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<(), Failure> {
        self.fixed(b'f', &value.to_bits().to_le_bytes())
    }

    fn serialize_char(self, value: char) -> Result<(), Failure> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Failure> {
        self.serialize_bytes(value.as_bytes())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Failure> {
        self.kind(b's');
        self.text(value);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Failure> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Failure> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Failure> {
        self.fixed(b'n', &[])
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Failure> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Failure> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Failure> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Failure> {
        let mut open = self.open(b'{');
        open.field(variant, value)?;
        open.close()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Open<'d>, Failure> {
        Ok(self.open(b'['))
    }

    fn serialize_tuple(self, _: usize) -> Result<Open<'d>, Failure> {
        Ok(self.open(b'['))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Open<'d>, Failure> {
        Ok(self.open(b'['))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Open<'d>, Failure> {
        self.kind(b'v');
        self.text(variant.as_bytes());
        Ok(self.open(b'['))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Open<'d>, Failure> {
        Ok(self.open(b'{'))
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Open<'d>, Failure> {
        let (known, fields) = self.without;
        let passed_over = if name == known { fields } else { &[] };
        Ok(Open { passed_over, ..self.open(b'{') })
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Open<'d>, Failure> {
        self.kind(b'v');
        self.text(variant.as_bytes());
        Ok(self.open(b'{'))
    }

    fn is_human_readable(&self) -> bool {
        // As in the documents and the API: addresses and times count by their text.
        true
    }
}

macro_rules! elements {
    ($($of:ident: $method:ident),*) => {$(
        impl ser::$of for Open<'_> {
            type Ok = ();
            type Error = Failure;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
                self.part(value)
            }

            fn end(self) -> Result<(), Failure> {
                self.close()
            }
        }
    )*};
}

macro_rules! fields {
    ($($of:ident),*) => {$(
        impl ser::$of for Open<'_> {
            type Ok = ();
            type Error = Failure;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Failure> {
                self.field(name, value)
            }

            fn end(self) -> Result<(), Failure> {
                self.close()
            }
        }
    )*};
}

elements!(SerializeSeq: serialize_element, SerializeTuple: serialize_element);
elements!(SerializeTupleStruct: serialize_field, SerializeTupleVariant: serialize_field);
fields!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Open<'_> {
    type Ok = ();
    type Error = Failure;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Failure> {
        self.entries.push(self.digest.bytes.len());
        self.part(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        self.part(value)
    }

    fn end(self) -> Result<(), Failure> {
        self.close()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn bytes(value: &impl Serialize) -> Vec<u8> {
        Digest::default().of(value).to_vec()
    }

    #[test]
    fn the_order_of_a_maps_entries_makes_no_difference_and_that_of_a_list_does() {
        let one: Value = serde_json::from_str(r#"{"a": {"x": 1, "y": [1, 2]}, "b": 2}"#).unwrap();
        let other: Value = serde_json::from_str(r#"{"b": 2, "a": {"y": [1, 2], "x": 1}}"#).unwrap();
        assert_eq!(bytes(&one), bytes(&other));
        assert_ne!(bytes(&json!([1, 2])), bytes(&json!([2, 1])));
    }

    #[test]
    fn different_values_never_look_alike() {
        let values = [
            json!(null),
            json!(""),
            json!([]),
            json!({}),
            json!([[]]),
            json!([[], []]),
            json!({"a": "bc"}),
            json!({"ab": "c"}),
            json!(["a", "bc"]),
            json!(["ab", "c"]),
            json!([["a"], "b"]),
            json!([["a", "b"]]),
            json!({"a": {"b": 1}}),
            json!({"a": {}, "b": 1}),
            json!(1),
            json!(1.0),
            json!(-1),
            json!("1"),
            json!(true),
            json!("true"),
        ];
        for (number, one) in values.iter().enumerate() {
            for other in &values[number + 1..] {
                assert_ne!(bytes(one), bytes(other), "{one} and {other}");
            }
        }
    }

    #[test]
    fn what_does_not_count_is_left_out_of_the_struct_of_that_name_alone() {
        #[derive(serde::Serialize)]
        struct Inner {
            note: u8,
            kept: u8,
        }
        #[derive(serde::Serialize)]
        struct Outer {
            note: u8,
            inner: Inner,
        }
        let mut digest = Digest::without("Inner", &["note"]);
        let mut of = |note, inner, kept| digest.of(&Outer { note, inner: Inner { note: inner, kept } }).to_vec();
        assert_eq!(of(1, 1, 1), of(1, 2, 1));
        assert_ne!(of(1, 1, 1), of(2, 1, 1));
        assert_ne!(of(1, 1, 1), of(1, 1, 2));
    }
}
