//! The administrator's token that a server makes for itself.

use super::{Token, private};
use graphium_core::control::{Control, ControlError, Purpose, Role, TokenRecord};
use jiff::{SignedDuration, Timestamp};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The file within the data directory.
const FILE: &str = "admin-token";
/// How long the code of the first login is good.
const SETUP: SignedDuration = SignedDuration::from_hours(1);

/// Why a server has no administrator's token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdminTokenError {
    /// The file cannot be read or written.
    #[error("the administrator's token cannot be kept in `{}`", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The store does not take its hash.
    #[error("the administrator's token cannot be stored")]
    Store(#[from] ControlError),
}

/// Makes sure that `<data_dir>/admin-token` holds a token that the store knows, and returns the file's path.
///
/// A token that the store does not know (it was revoked, or the store is another) is replaced and never revived.
///
/// # Errors
/// [`AdminTokenError`].
pub async fn admin_token(control: &Control, data_dir: &Path, now: Timestamp) -> Result<PathBuf, AdminTokenError> {
    let path = data_dir.join(FILE);
    let file = |source| AdminTokenError::File { path: path.clone(), source };
    match fs::read_to_string(&path) {
        Ok(text) => {
            if let Some(token) = Token::parse(&text)
                && control.token_by_hash(&token.hash()).await?.is_some_and(|record| record.role == Role::Admin)
            {
                restrict(&path).map_err(file)?;
                return Ok(path);
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(file(error)),
    }
    let token = Token::generate().map_err(file)?;
    private::folder(data_dir).map_err(file)?;
    // The file first: a crash between the two leaves a token that nobody knows, and the next start makes another.
    private::write(&path, &format!("{}\n", token.reveal())).map_err(file)?;
    let hash = token.hash();
    let record = TokenRecord { name: Some("admin".into()), ..TokenRecord::new(hash, Role::Admin, now) };
    control.issue_token(record).await?;
    Ok(path)
}

/// A code with which the first person who may log in is made; none, where there is somebody already.
///
/// # Errors
/// [`AdminTokenError::Store`], and when the operating system has no random numbers.
pub async fn setup_code(control: &Control, now: Timestamp) -> Result<Option<Token>, AdminTokenError> {
    if !control.users().await?.is_empty() {
        return Ok(None);
    }
    // Of earlier starts none is good any more: who lost its link gets another by starting anew.
    for earlier in control.tokens().await?.into_iter().filter(|token| token.purpose == Purpose::Setup) {
        control.revoke_token(&earlier.id).await?;
    }
    let code = Token::generate().map_err(|source| AdminTokenError::File { path: PathBuf::new(), source })?;
    let record = TokenRecord {
        name: Some("first login".into()),
        purpose: Purpose::Setup,
        expires: now.checked_add(SETUP).ok(),
        ..TokenRecord::new(code.hash(), Role::Admin, now)
    };
    control.issue_token(record).await?;
    Ok(Some(code))
}

/// Takes the rights of others away from a file that has more than it should.
#[cfg(unix)]
fn restrict(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "others could read the administrator's token; their rights are taken away");
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn restrict(_: &Path) -> io::Result<()> {
    Ok(())
}
