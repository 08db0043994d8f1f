//! The file of hosts that `graphium plan --inventory` is given.

use super::{
    exit::{Exit, Failure, SourceText},
    source,
};
use crate::render::count;
use graphium_core::inventory::{self, Inventory};
use std::path::Path;

/// Loads an inventory: from a file, or from stdin where the path is `-`.
pub(crate) fn load(path: &Path) -> Result<Inventory, Failure> {
    let (name, text) = source::load(path, source::MAX_INVENTORY_BYTES)?;
    inventory::read(&text).map_err(|diagnostics| {
        let what = format!("{name} is no inventory: {}", count(diagnostics.len(), "mistake"));
        let source = Some(Box::new(SourceText { name, text: String::from_utf8_lossy(&text).into_owned() }));
        Failure { source, diagnostics: diagnostics.into(), ..Failure::new(Exit::Usage, what) }
            .hint("or save what the server knows: `graphium host list -o json`; docs/cli.md tells what a host may say")
    })
}
