//! `graphium schema`: the native form of documents, for editors.

use super::{
    exit::{Exit, Failure},
    output::Output,
};
use graphium_core::document::json_schema;

/// Prints the JSON Schema of stack documents, with which editors complete and explain their keys
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct SchemaArgs {}

const AFTER_HELP: &str = "\
Example: graphium schema > stack.schema.json, and in the settings of VS Code
  \"json.schemas\": [{\"fileMatch\": [\"*.jsonld\"], \"url\": \"./stack.schema.json\"}]";

pub(crate) fn run(_: &SchemaArgs, output: &mut Output) -> Result<Exit, Failure> {
    // Indented also in a pipe: it is kept beside documents and read by people, too.
    output.line(format_args!("{:#}", json_schema()))?;
    Ok(Exit::Ok)
}
