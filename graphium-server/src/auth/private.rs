//! Files that their owner alone may read.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    path::Path,
};

/// Makes a folder, and those above it; what is made is the owner's alone.
pub(super) fn folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Writes a file that is not there yet, whole and on the disk, or none.
///
/// # Errors
/// What the file system says; [`io::ErrorKind::AlreadyExists`] where there is one.
pub(crate) fn write_once(path: &Path, content: &str) -> io::Result<()> {
    let place = path.parent().filter(|place| !place.as_os_str().is_empty()).unwrap_or(Path::new("."));
    folder(place)?;
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    write(&draft, content)?;
    // A link is made where there is nothing, and nowhere else.
    let linked = fs::hard_link(&draft, path);
    let _ = fs::remove_file(&draft);
    linked?;
    #[cfg(unix)]
    fs::File::open(place)?.sync_all()?;
    Ok(())
}

/// Writes a file in one step: whoever reads it sees the old or the new content, and nobody but the owner sees any.
///
/// # Errors
/// What the file system says; the old content is still there then, or the new one, which a loss of power may take back.
pub fn write(path: &Path, content: &str) -> io::Result<()> {
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    // A draft that a crash left may have other rights.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    let written = file.write_all(content.as_bytes()).and_then(|()| file.sync_all());
    written.and_then(|()| fs::rename(&draft, path)).inspect_err(|_| {
        // What nobody but the owner may see does not lie about under another name.
        let _ = fs::remove_file(&draft);
    })?;
    keep_name(path)
}

/// Waits until the name of a file is on the disk: without that a loss of power brings the old content back.
#[cfg(unix)]
fn keep_name(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn keep_name(_: &Path) -> io::Result<()> {
    Ok(())
}
