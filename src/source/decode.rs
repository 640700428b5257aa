//! Trees into typed values, with the place of every field that doesn't fit and
//! of every field that the type doesn't know.

use std::cell::RefCell;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, Visitor};

use super::Place;
use super::mismatch::{DecodeError, Wrong};
use super::tree::{Entry, Node, Value};

/// Give up on one document after so many errors.
const MOST_ERRORS: usize = 50;

/// What came of decoding one tree.
#[derive(Clone, Debug)]
pub struct Decoded<T> {
    /// The value; `None` when there are errors.
    pub value: Option<T>,
    /// What doesn't fit, all of it as far as one error doesn't hide another.
    pub errors: Vec<DecodeError>,
    /// Fields that the type doesn't know.
    pub unknown: Vec<Unknown>,
}

/// A field that the type doesn't know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// Its path.
    pub path: String,
    /// Its name.
    pub name: String,
    /// Where the key stands.
    pub place: Place,
    /// The fields that the type knows there.
    pub known: &'static [&'static str],
}

/// Decodes a tree. `lenient` reads as Go's JSON decoder does: nothing (`null`)
/// is an empty string, list or mapping, and a quantity of 0.
pub fn decode<T: DeserializeOwned>(node: &Node, lenient: bool) -> Decoded<T> {
    let mut errors: Vec<DecodeError> = Vec::new();
    let mut unknown: Vec<Unknown> = Vec::new();
    let mut skipped = Vec::new();
    loop {
        let context = Context { lenient, skipped, unknown: RefCell::default(), path: RefCell::default() };
        let result = T::deserialize(Reader { node, context: &context });
        let new = context.unknown.into_inner().into_iter().filter(|one| !unknown.contains(one));
        let new: Vec<_> = new.collect();
        unknown.extend(new);
        skipped = context.skipped;
        let mut error = match result {
            Ok(value) => {
                let value = errors.is_empty().then_some(value);
                return Decoded { value, errors, unknown };
            }
            Err(error) => *error.0,
        };
        // Leave the bad value out and look on: the smallest part around it
        // that isn't left out yet.
        let leave_out = error.trail.iter().find(|at| !skipped.contains(at)).copied();
        error.place.get_or_insert_with(|| node.head());
        if !error.follows_from(&errors) {
            errors.push(error);
        }
        match leave_out {
            Some(at) if errors.len() < MOST_ERRORS => skipped.push(at),
            _ => return Decoded { value: None, errors, unknown },
        }
    }
}

/// What all readers of one tree share.
struct Context {
    lenient: bool,
    /// Values that are known to be wrong, by their bytes, and left out.
    skipped: Vec<(u32, u32)>,
    unknown: RefCell<Vec<Unknown>>,
    /// The path to what is read now.
    path: RefCell<Vec<String>>,
}

impl Context {
    fn skips(&self, node: &Node) -> bool {
        !self.skipped.is_empty() && self.skipped.contains(&(node.start, node.end))
    }

    /// Runs `read` with one more step of the path, and tells its error where it
    /// happened.
    fn within<T>(
        &self,
        step: String,
        node: &Node,
        place: &dyn Fn() -> Place,
        read: impl FnOnce() -> Result<T, Wrong>,
    ) -> Result<T, Wrong> {
        self.path.borrow_mut().push(step);
        let result = match read() {
            Ok(value) => Ok(value),
            Err(error) => Err(self.located(error, node, place)),
        };
        self.path.borrow_mut().pop();
        result
    }

    /// The error with the innermost place and the way to it. Not generic, as it
    /// would be compiled once for every field of every type.
    fn located(&self, mut error: Wrong, node: &Node, place: &dyn Fn() -> Place) -> Wrong {
        if error.0.place.is_none() {
            error.0.place = Some(place());
            error.0.path = self.path_text();
        }
        error.0.trail.push((node.start, node.end));
        error
    }

    /// Notes a field that the type doesn't know.
    fn note_unknown(&self, entry: &Entry, step: &str, known: &'static [&'static str]) {
        if known.contains(&entry.key.as_str()) {
            return;
        }
        let path = format!("{}{step}", self.path.borrow().concat());
        let path = path.strip_prefix('.').map_or(path.clone(), str::to_owned);
        let unknown = Unknown { path, name: entry.key.clone(), place: entry.key_place(), known };
        self.unknown.borrow_mut().push(unknown);
    }

    fn path_text(&self) -> String {
        let text = self.path.borrow().concat();
        text.strip_prefix('.').map_or(text.clone(), str::to_owned)
    }
}

/// A node that is being read.
#[derive(Clone, Copy)]
struct Reader<'a> {
    node: &'a Node,
    context: &'a Context,
}

impl Reader<'_> {
    fn expected<T>(&self, what: &str) -> Result<T, Wrong> {
        Err(self.mismatch(what))
    }

    fn mismatch(&self, what: &str) -> Wrong {
        let found = self.node.value.describe();
        let mut error = Wrong::of(format!("expected {what}, found {found}"));
        error.0.help = match (&self.node.value, what) {
            (Value::Bool(_) | Value::Int(_) | Value::Float(_), "a string") => {
                Some("put the value in quotes".to_owned())
            }
            (Value::String(text), "a whole number") if text.parse::<i64>().is_ok() => {
                Some("remove the quotes".to_owned())
            }
            (Value::String(text), "true or false") if ["true", "false"].contains(&text.as_str()) => {
                Some("remove the quotes".to_owned())
            }
            _ => None,
        };
        error
    }

    fn fields<V: Visitor<'static>>(
        self,
        known: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        match &self.node.value {
            Value::Map(entries) => {
                visitor.visit_map(Fields { entries: entries.iter(), now: None, known, context: self.context })
            }
            Value::Null if self.context.lenient => {
                visitor.visit_map(Fields { entries: [].iter(), now: None, known, context: self.context })
            }
            _ => self.expected("a mapping"),
        }
    }

    /// A whole number, also one written as `3.0`, as JSON has no difference.
    fn whole<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.node.value {
            Value::Int(number) if number >= 0 => visitor.visit_u64(number as u64),
            Value::Int(number) => visitor.visit_i64(number),
            Value::Float(number) if number.fract().abs() < f64::MIN_POSITIVE && number.abs() < 9e15 => {
                visitor.visit_i64(number as i64)
            }
            Value::Null if self.context.lenient => visitor.visit_i64(0),
            _ => self.expected("a whole number"),
        }
    }
}

macro_rules! whole {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Wrong> {
            self.whole(visitor)
        }
    )*};
}

impl de::Deserializer<'static> for Reader<'_> {
    type Error = Wrong;

    whole! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
    }

    fn deserialize_any<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Int(number) if *number >= 0 => visitor.visit_u64(*number as u64),
            Value::Int(number) => visitor.visit_i64(*number),
            Value::Float(number) => visitor.visit_f64(*number),
            Value::String(text) => visitor.visit_str(text),
            Value::List(_) => self.deserialize_seq(visitor),
            Value::Map(_) => self.fields(None, visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.node.value {
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Null if self.context.lenient => visitor.visit_bool(false),
            _ => self.expected("true or false"),
        }
    }

    fn deserialize_f32<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.node.value {
            Value::Int(number) => visitor.visit_f64(number as f64),
            Value::Float(number) => visitor.visit_f64(number),
            _ => self.expected("a number"),
        }
    }

    fn deserialize_str<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match &self.node.value {
            Value::String(text) => visitor.visit_str(text),
            Value::Null if self.context.lenient => visitor.visit_str(""),
            _ => self.expected("a string"),
        }
    }

    fn deserialize_string<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_str(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Wrong> {
        if self.node.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Wrong> {
        if self.node.is_null() { visitor.visit_unit() } else { self.expected("nothing") }
    }

    fn deserialize_unit_struct<V: Visitor<'static>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'static>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        // A quantity may be written as a number; its digits are what counts.
        match &self.node.value {
            Value::Int(number) if name == "Quantity" => {
                visitor.visit_newtype_struct(text_reader(&number.to_string()))
            }
            Value::Float(number) if name == "Quantity" => {
                visitor.visit_newtype_struct(text_reader(&number.to_string()))
            }
            Value::Null if name == "Quantity" && self.context.lenient => {
                visitor.visit_newtype_struct(text_reader("0"))
            }
            Value::Bool(_) | Value::Map(_) | Value::List(_) if name == "Quantity" => {
                self.expected("a quantity")
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match &self.node.value {
            Value::List(items) => {
                visitor.visit_seq(Items { items: items.iter().enumerate(), context: self.context })
            }
            Value::Null if self.context.lenient => {
                visitor.visit_seq(Items { items: [].iter().enumerate(), context: self.context })
            }
            _ => self.expected("a list"),
        }
    }

    fn deserialize_tuple<V: Visitor<'static>>(self, _: usize, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'static>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.fields(None, visitor)
    }

    fn deserialize_struct<V: Visitor<'static>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.fields(Some(known), visitor)
    }

    fn deserialize_enum<V: Visitor<'static>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        match &self.node.value {
            Value::String(_) => visitor.visit_enum(Choice { reader: self, content: None }),
            Value::Map(entries) => match entries.as_slice() {
                [entry] => visitor.visit_enum(Choice { reader: self, content: Some(entry) }),
                _ => self.expected("a mapping with exactly one key"),
            },
            _ => self.expected("a name, or a mapping with exactly one key"),
        }
    }

    fn deserialize_identifier<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_unit()
    }
}

/// The entries of a mapping, one after the other.
struct Fields<'a> {
    entries: std::slice::Iter<'a, Entry>,
    now: Option<&'a Entry>,
    /// The fields of the type that reads, where it is a struct.
    known: Option<&'static [&'static str]>,
    context: &'a Context,
}

impl<'a> Fields<'a> {
    /// Goes to the next entry that isn't left out; says which, and its step.
    fn advance(&mut self) -> Option<(&'a Entry, String)> {
        let context = self.context;
        let entry = self.entries.by_ref().find(|entry| !context.skips(&entry.value))?;
        self.now = Some(entry);
        let step = step_of(&entry.key);
        if let Some(known) = self.known {
            context.note_unknown(entry, &step, known);
        }
        Some((entry, step))
    }
}

impl de::MapAccess<'static> for Fields<'_> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'static>>(&mut self, seed: K) -> Result<Option<K::Value>, Wrong> {
        let Some((entry, step)) = self.advance() else { return Ok(None) };
        let key = text_reader(&entry.key);
        self.context.within(step, &entry.value, &|| entry.key_place(), || seed.deserialize(key).map(Some))
    }

    fn next_value_seed<S: DeserializeSeed<'static>>(&mut self, seed: S) -> Result<S::Value, Wrong> {
        let entry = self.now.take().expect("a value is asked for after its key");
        let reader = Reader { node: &entry.value, context: self.context };
        self.context.within(step_of(&entry.key), &entry.value, &|| entry.place(), || seed.deserialize(reader))
    }
}

/// The elements of a list, one after the other.
struct Items<'a> {
    items: std::iter::Enumerate<std::slice::Iter<'a, Node>>,
    context: &'a Context,
}

impl de::SeqAccess<'static> for Items<'_> {
    type Error = Wrong;

    fn next_element_seed<S: DeserializeSeed<'static>>(&mut self, seed: S) -> Result<Option<S::Value>, Wrong> {
        let context = self.context;
        let Some((index, node)) = self.items.by_ref().find(|(_, node)| !context.skips(node)) else {
            return Ok(None);
        };
        let reader = Reader { node, context };
        context.within(format!("[{index}]"), node, &|| node.head(), || seed.deserialize(reader).map(Some))
    }
}

/// An externally tagged enum.
struct Choice<'a> {
    reader: Reader<'a>,
    /// The one entry, where the variant has content.
    content: Option<&'a Entry>,
}

impl de::EnumAccess<'static> for Choice<'_> {
    type Error = Wrong;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'static>>(self, seed: S) -> Result<(S::Value, Self), Wrong> {
        let name = self.content.map_or_else(|| self.reader.node.as_str(), |entry| Some(&entry.key));
        let name = text_reader(name.unwrap_or(""));
        let variant = match self.content {
            None => seed.deserialize(name)?,
            Some(entry) => self.reader.context.within(
                step_of(&entry.key),
                &entry.value,
                &|| entry.key_place(),
                || seed.deserialize(name),
            )?,
        };
        Ok((variant, self))
    }
}

impl Choice<'_> {
    fn inside<T>(&self, read: impl FnOnce(Reader<'_>) -> Result<T, Wrong>) -> Result<T, Wrong> {
        let Some(entry) = self.content else {
            let name = self.reader.node.as_str().unwrap_or("");
            return Err(Wrong::of(format!("`{name}` needs more than its name: `{name}: …`")));
        };
        let context = self.reader.context;
        let reader = Reader { node: &entry.value, context };
        context.within(step_of(&entry.key), &entry.value, &|| entry.place(), || read(reader))
    }
}

impl de::VariantAccess<'static> for Choice<'_> {
    type Error = Wrong;

    fn unit_variant(self) -> Result<(), Wrong> {
        match self.content {
            Some(entry) if !entry.value.is_null() && !entry.value.value.is_empty() => {
                self.inside(|reader| reader.expected("nothing"))
            }
            _ => Ok(()),
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'static>>(self, seed: S) -> Result<S::Value, Wrong> {
        self.inside(|reader| seed.deserialize(reader))
    }

    fn tuple_variant<V: Visitor<'static>>(self, _: usize, visitor: V) -> Result<V::Value, Wrong> {
        self.inside(|reader| de::Deserializer::deserialize_seq(reader, visitor))
    }

    fn struct_variant<V: Visitor<'static>>(
        self,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.inside(|reader| reader.fields(Some(known), visitor))
    }
}

/// Reads a text that is no node of its own.
fn text_reader(text: &str) -> StrDeserializer<'_, Wrong> {
    text.into_deserializer()
}

/// One key as it is written in a path.
pub(super) fn step_of(key: &str) -> String {
    if key.contains(['.', '[', '/']) { format!("[\"{key}\"]") } else { format!(".{key}") }
}
