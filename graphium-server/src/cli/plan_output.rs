//! `graphium plan -o`: a format, or a file to save the plan in.

use clap::{
    Arg, Command, Error,
    builder::{EnumValueParser, PossibleValue, StyledStr, TypedValueParser},
    error::{ContextKind, ContextValue},
};
use std::{ffi::OsStr, path::PathBuf};

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum PlanFormat {
    /// For people
    #[value(alias = "text")]
    Table,
    /// For programs
    Json,
    /// For Graphviz
    Dot,
}

/// Where a plan goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PlanOutput {
    /// To stdout.
    Format(PlanFormat),
    /// Into a file, and as a table to stdout.
    File(PathBuf),
}

/// What has a `.` or a path's separator in it is a path; anything else must be a format.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlanOutputParser;

impl TypedValueParser for PlanOutputParser {
    type Value = PlanOutput;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<PlanOutput, Error> {
        let is_path = value.as_encoded_bytes().iter().any(|&byte| byte == b'.' || std::path::is_separator(byte.into()));
        if is_path {
            return Ok(PlanOutput::File(value.into()));
        }
        EnumValueParser::<PlanFormat>::new().parse_ref(command, arg, value).map(PlanOutput::Format).map_err(
            |mut error| {
                let told = format!("a path to save the plan at has a `.` or a `/` in it, as `./{}`", value.display());
                error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(told)]));
                error
            },
        )
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let formats = EnumValueParser::<PlanFormat>::new().possible_values()?.collect::<Vec<_>>();
        Some(Box::new(formats.into_iter()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
    use super::*;

    fn parse(value: &str) -> Result<PlanOutput, String> {
        let command = Command::new("plan");
        PlanOutputParser.parse_ref(&command, None, OsStr::new(value)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_value_with_a_dot_or_a_slash_is_a_path_and_any_other_a_format() {
        assert_eq!(parse("json"), Ok(PlanOutput::Format(PlanFormat::Json)));
        assert_eq!(parse("text"), Ok(PlanOutput::Format(PlanFormat::Table)));
        for path in ["shop.plan", "./shop", "plans/shop", "json.json", "/"] {
            assert_eq!(parse(path), Ok(PlanOutput::File(path.into())));
        }
    }

    #[test]
    fn a_slip_in_a_format_is_told_with_what_was_meant() {
        let told = parse("josn").unwrap_err();
        assert!(told.contains("\'json\'") && told.contains("`./josn`"), "{told}");
        assert!(parse("yaml").unwrap_err().contains("[possible values: table, json, dot]"));
    }
}
