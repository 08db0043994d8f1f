//! How the containers of a stack stand: what was seen of them, where nothing is under way.

use super::{
    board::{Board, Row, State},
    printable,
};
use graphium_core::{
    control::{StackStatus, Standing, StatusView},
    inventory::{ContainerStatus, Health},
};

/// Puts what was seen of the containers in the place of how the last tasks ended, and beside it what these were not about.
///
/// What failed, or was not done, is told for as long as the stack is not well.
pub(crate) fn as_seen(mut board: Board, status: &StatusView) -> Board {
    let is_well = status.overall_status == StackStatus::Running;
    for one in &status.containers {
        let place = board.hosts.iter().position(|(host, _)| *host == one.host_id).unwrap_or_else(|| {
            board.hosts.push((one.host_id.clone(), Vec::new()));
            board.hosts.len() - 1
        });
        let rows = &mut board.hosts[place].1;
        let Some(row) = rows.iter_mut().find(|row| !row.is_minor && row.name == one.name) else {
            rows.push(row(one, None));
            continue;
        };
        if row.state == State::Done || is_well {
            *row = self::row(one, Some(&row.what));
        }
    }
    board
}

/// `done`: how its last task ended.
fn row(one: &Standing, done: Option<&str>) -> Row {
    let (state, what) = stands(one, done);
    let detail = one.unsure.as_ref().map(|why| format!("(when it was seen last: {why})")).unwrap_or_default();
    let state = if one.unsure.is_some() && state == State::Done { State::Waiting } else { state };
    Row {
        name: printable(&one.name).into_owned(),
        state,
        what,
        detail: printable(&detail).into_owned(),
        is_minor: false,
    }
}

fn stands(one: &Standing, done: Option<&str>) -> (State, String) {
    let Some(status) = one.status else { return (State::Failed, "gone".to_owned()) };
    let ended = || one.exit_code.map_or_else(|| "has ended".to_owned(), |code| format!("ended with exit code {code}"));
    let (state, what) = match (status, one.health) {
        (ContainerStatus::Running, Some(Health::Healthy)) => (State::Done, "healthy"),
        (ContainerStatus::Running, Some(Health::Unhealthy)) => {
            (State::Failed, "running, and its health check says that it is not well")
        }
        (ContainerStatus::Running, Some(Health::Starting)) => (State::Waiting, "running, health not known yet"),
        (ContainerStatus::Running, None) => (State::Done, "running"),
        (ContainerStatus::Paused, _) => (State::Waiting, "paused"),
        (ContainerStatus::Created, _) => (State::Waiting, "not started"),
        (ContainerStatus::Removing, _) => (State::Waiting, "being removed"),
        (ContainerStatus::Dead, _) => (State::Failed, "dead"),
        (ContainerStatus::Restarting, _) => {
            return (State::Failed, format!("{}, and is started again and again", ended()));
        }
        (ContainerStatus::Exited | ContainerStatus::Stopped, _) => {
            return match (done, one.exit_code) {
                (Some(word @ ("completed" | "stopped")), _) => (State::Done, word.to_owned()),
                (_, Some(0)) => (State::Cancelled, ended()),
                _ => (State::Failed, ended()),
            };
        }
    };
    (state, what.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
    use super::*;
    use serde_json::{Value, json};

    /// Rows of a status with these containers, on hosts as they say, where the last deployment was about `web`, which it brought up.
    fn shown(overall: &str, failed: bool, containers: Value) -> Vec<String> {
        let status: StatusView = serde_json::from_value(json!({
            "stackId": "stack:shop", "stackName": "shop", "deploymentId": "deployment:1", "totalTasks": 1,
            "overallStatus": overall, "progress": 100, "tasksByStatus": {}, "endpoints": [], "tasks": [],
            "containers": containers,
        }))
        .unwrap();
        let (state, what) = if failed { (State::Failed, "failed: no") } else { (State::Done, "running") };
        let row = Row { name: "web".into(), state, what: what.into(), detail: String::new(), is_minor: false };
        let board = Board { hosts: vec![("vm1".into(), vec![row])] };
        let told = |(host, rows): (graphium_core::id::HostId, Vec<Row>)| {
            rows.into_iter().map(move |row| {
                let line = format!("{host} {} {:?} {} {}", row.name, row.state, row.what, row.detail);
                line.trim_end().to_owned()
            })
        };
        as_seen(board, &status).hosts.into_iter().flat_map(told).collect()
    }

    #[test]
    fn what_is_seen_goes_before_what_was_done_and_what_was_not_touched_is_there() {
        let containers = json!([
            {"name": "web", "hostId": "vm1", "status": "exited", "exitCode": 0},
            {"name": "api", "hostId": "vm1", "status": "running", "health": "unhealthy"},
            {"name": "db", "hostId": "vm2", "status": "running", "health": "healthy"},
            {"name": "job", "hostId": "vm2", "status": "restarting", "exitCode": 5},
            {"name": "old", "hostId": "vm3", "status": "running", "unsure": "host vm3 is offline since noon"},
            {"name": "lost", "hostId": "vm3"},
        ]);
        let expected = [
            "vm1 web Cancelled ended with exit code 0",
            "vm1 api Failed running, and its health check says that it is not well",
            "vm2 db Done healthy",
            "vm2 job Failed ended with exit code 5, and is started again and again",
            "vm3 old Waiting running (when it was seen last: host vm3 is offline since noon)",
            "vm3 lost Failed gone",
        ];
        assert_eq!(shown("running", false, containers), expected);
    }

    #[test]
    fn what_failed_is_told_until_the_stack_is_well() {
        let containers = || json!([{"name": "web", "hostId": "vm1", "status": "running"}]);
        assert_eq!(shown("error", true, containers()), ["vm1 web Failed failed: no"]);
        assert_eq!(shown("running", true, containers()), ["vm1 web Done running"]);
    }
}
