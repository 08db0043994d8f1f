//! Programs of this machine, to be put into images.

use std::collections::BTreeSet;
use std::fs;

use super::super::command::{command, run};
use super::TestbedError;

/// A program and the libraries that it needs: paths and contents.
pub(super) fn with_libraries(image: &str, program: &str) -> Result<Vec<(String, Vec<u8>)>, TestbedError> {
    let paths = std::iter::once(program.to_owned()).chain(libraries(program)?);
    paths
        .map(|path| match fs::read(&path) {
            Ok(content) => Ok((path, content)),
            Err(error) => Err(TestbedError::Image { image: image.into(), reason: format!("{path}: {error}") }),
        })
        .collect()
}

/// The absolute paths in lines such as `libz.so.1 => /lib/libz.so.1 (0x…)` and `/lib64/ld-linux.so.2 (0x…)`.
fn libraries(program: &str) -> Result<BTreeSet<String>, TestbedError> {
    let listed = run(command("ldd").arg(program))?;
    Ok(listed.split_whitespace().filter(|word| word.starts_with('/')).map(str::to_owned).collect())
}
