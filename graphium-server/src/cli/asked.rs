//! How the result was asked for, where the command that knows it did not come so far.

use crate::config::{Config, Format, GlobalArgs};
use clap::{ArgMatches, ValueEnum};
use std::ffi::{OsStr, OsString};

/// The format that a command which failed was asked for.
pub(super) fn format(matches: &ArgMatches, global: &GlobalArgs) -> Format {
    named(matches).unwrap_or_else(|| settled(global))
}

/// The same of a command line that is none.
pub(super) fn format_of_words(words: impl IntoIterator<Item = OsString>) -> Format {
    spelt(words).unwrap_or_else(|| settled(&GlobalArgs::default()))
}

/// What the settings say. Settings that cannot be read ask for nothing.
fn settled(global: &GlobalArgs) -> Format {
    Config::load(global).map_or_else(|_| Format::default(), |config| config.output.value)
}

/// What `--output` says, of whichever command.
fn named(matches: &ArgMatches) -> Option<Format> {
    let below = matches.subcommand().and_then(|(_, below)| named(below));
    below.or_else(|| read(matches.try_get_raw("output").ok()??.next_back()?))
}

/// What `-o` says among words that could not be understood.
fn spelt(words: impl IntoIterator<Item = OsString>) -> Option<Format> {
    let mut words = words.into_iter().take_while(|word| word != "--");
    let mut format = None;
    while let Some(word) = words.next() {
        let word = word.to_string_lossy();
        let value = match word.as_ref() {
            "-o" | "--output" => words.next(),
            word => word.strip_prefix("--output=").or_else(|| word.strip_prefix("-o")).map(OsString::from),
        };
        let value = value.map(|value| value.to_string_lossy().trim_start_matches('=').to_owned());
        format = value.and_then(|value| read(OsStr::new(&value))).or(format);
    }
    format
}

fn read(value: &OsStr) -> Option<Format> {
    Format::from_str(value.to_str()?, true).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_found_in_words_that_make_no_command() {
        let spelt = |words: &str| spelt(words.split(' ').map(OsString::from));
        for words in
            ["stack lst -o json", "plan --hsot x --output=json", "stack -ojson lst", "x -o=json", "x --output json"]
        {
            assert_eq!(spelt(words), Some(Format::Json), "{words}");
        }
        for words in ["stack lst", "x -o", "plan x -o shop.plan", "x -- -o json", "x --outputs json"] {
            assert_eq!(spelt(words), None, "{words}");
        }
    }
}
