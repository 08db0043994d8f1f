//! The last words of a container.

use super::LOOK;
use crate::{
    connection::{Call, Connection},
    name::checked,
};
use bollard::query_parameters::LogsOptionsBuilder;
use futures::TryStreamExt as _;
use graphium_core::runtime::RuntimeError;

/// No more than this is kept of what a container wrote, however long its lines are.
const MOST_BYTES: usize = 1024 * 1024;

pub(super) async fn last_lines(connection: &Connection, name: &str, lines: usize) -> Result<Vec<String>, RuntimeError> {
    let name = checked(name)?.to_owned();
    let call = Call::new("reading the log of container", &name, LOOK);
    let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail(&lines.to_string()).build();
    let wanted = name.clone();
    let ask = |docker: bollard::Docker| async move {
        let kept = |mut text: Vec<u8>, part: bollard::container::LogOutput| async move {
            text.extend_from_slice(&part.into_bytes());
            let surplus = text.len().saturating_sub(MOST_BYTES);
            text.drain(..surplus);
            Ok(text)
        };
        docker.logs(&wanted, Some(options)).try_fold(Vec::new(), kept).await
    };
    let text = connection.call(call, ask).await?;
    let mut last: Vec<String> = String::from_utf8_lossy(&text).lines().map(str::to_owned).collect();
    last.drain(..last.len().saturating_sub(lines));
    Ok(last)
}
