//! Runtimes that break one promise each: the suite must notice.

use super::*;
use crate::{
    runtime::{
        Adoption, ContainerChange, ContainerLog, ContainerSpec, ContainerState, Description, EngineInfo, ExecEvent,
        ExecFeed, ExecSpec, Execution, ImageRequest, LiveSettings, LogQuery, LogSource, NetworkSpec, Owned,
        PresentImage, Probe, PullObserver, PutFile, RuntimeError, Tail, VolumeSpec, label,
    },
    stack::{Container, HealthTest},
    testing::{FakeRuntime, Program},
};
use async_trait::async_trait;
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    None,
    SilenceIsAbsence,
    AnyVersionWillDo,
    ForeignIsOurs,
    StartsOnlyOnce,
    ForgetsLabels,
    MakesVolumesOfNobody,
    ForgetsExitCodes,
    SharesPorts,
    RemovesNoVolume,
    TakesZeroForUnlimited,
    ForgetsSettings,
    AdjustsInSilence,
    AllAreWell,
    RenamesOverOthers,
    RenamesOnce,
    AdoptsInWordsOnly,
    NeverForgetsAdoptions,
    AdoptsOverOthers,
    EndsInError,
    IgnoresTails,
    MixesSources,
    ReadsForeignLogs,
    ExecsInForeign,
    ForgetsCodes,
    LosesInput,
    TakesAnyPlatform,
    MistakesImages,
    PutsOnce,
    PutsIntoForeign,
}

/// A runtime that lies.
#[derive(Clone, Debug)]
struct Saboteur {
    fake: FakeRuntime,
    lie: Lie,
}

#[async_trait]
impl ContainerRuntime for Saboteur {
    async fn info(&self) -> Result<EngineInfo, RuntimeError> {
        self.fake.info().await
    }
    async fn pull(&self, image: ImageRequest<'_>, progress: &dyn PullObserver) -> Result<PresentImage, RuntimeError> {
        let platform = image.platform.filter(|_| self.lie != Lie::TakesAnyPlatform);
        self.fake.pull(ImageRequest { platform, ..image }, progress).await
    }
    async fn create_network(&self, spec: &NetworkSpec) -> Result<(), RuntimeError> {
        self.fake.create_network(spec).await
    }
    async fn remove_network(&self, name: &str) -> Result<(), RuntimeError> {
        self.fake.remove_network(name).await
    }
    async fn create_volume(&self, spec: &VolumeSpec) -> Result<(), RuntimeError> {
        self.fake.create_volume(spec).await
    }
    async fn remove_volume(&self, name: &str) -> Result<(), RuntimeError> {
        if self.lie == Lie::RemovesNoVolume { Ok(()) } else { self.fake.remove_volume(name).await }
    }
    async fn create(&self, spec: &ContainerSpec) -> Result<String, RuntimeError> {
        let mut spec = spec.clone();
        if self.lie == Lie::MakesVolumesOfNobody {
            Arc::make_mut(&mut spec.labels).shift_remove(label::STACK_NAME);
        }
        match self.fake.create(&spec).await {
            Err(RuntimeError::NameTaken { .. }) if self.lie == Lie::AnyVersionWillDo => Ok(String::new()),
            outcome => outcome,
        }
    }
    async fn put_files(&self, name: &str, files: &[PutFile]) -> Result<(), RuntimeError> {
        let is_there = files.iter().any(|file| self.fake.file(name, &file.path).is_some());
        match self.fake.put_files(name, files).await {
            Err(RuntimeError::NameTaken { .. }) if self.lie == Lie::PutsIntoForeign => Ok(()),
            Ok(()) if self.lie == Lie::PutsOnce && is_there => Err(RuntimeError::Failed("it is there".to_owned())),
            outcome => outcome,
        }
    }
    async fn rename(&self, name: &str, to: &str) -> Result<(), RuntimeError> {
        let is_absent = self.fake.container(name).is_none();
        match self.fake.rename(name, to).await {
            Err(RuntimeError::NameTaken { .. }) if self.lie == Lie::RenamesOverOthers => {
                self.fake.vanish(to);
                self.fake.rename(name, to).await
            }
            Ok(()) if self.lie == Lie::RenamesOnce && is_absent => Err(RuntimeError::NotFound(name.to_owned())),
            outcome => outcome,
        }
    }
    async fn start(&self, name: &str) -> Result<(), RuntimeError> {
        let runs = self.fake.effects(name).started > 0;
        match self.fake.start(name).await {
            Ok(()) if self.lie == Lie::StartsOnlyOnce && runs => Err(RuntimeError::Failed("it runs".to_owned())),
            Err(RuntimeError::PortTaken { .. }) if self.lie == Lie::SharesPorts => Ok(()),
            outcome => outcome,
        }
    }
    async fn adjust(&self, name: &str, settings: &LiveSettings) -> Result<(), RuntimeError> {
        match self.fake.adjust(name, settings).await {
            Err(RuntimeError::Refused(_)) if self.lie == Lie::TakesZeroForUnlimited => Ok(()),
            outcome => outcome,
        }
    }
    async fn stop(&self, name: &str, grace: Option<Duration>) -> Result<(), RuntimeError> {
        self.fake.stop(name, grace).await
    }
    async fn remove(&self, name: &str) -> Result<(), RuntimeError> {
        if self.lie == Lie::ForeignIsOurs {
            self.fake.vanish(name);
        }
        self.fake.remove(name).await
    }
    async fn inspect(&self, name: &str) -> Result<Option<ContainerState>, RuntimeError> {
        match self.fake.inspect(name).await {
            Err(_) if self.lie == Lie::SilenceIsAbsence => Ok(None),
            Ok(Some(mut state)) if self.lie == Lie::ForgetsSettings => {
                state.observed.settings = Some(LiveSettings::of(&Container::default()));
                Ok(Some(state))
            }
            Ok(Some(mut state)) if self.lie == Lie::MistakesImages => {
                state.image_id = Some(state.observed.image.clone());
                Ok(Some(state))
            }
            Ok(Some(mut state)) if self.lie == Lie::ForgetsExitCodes => {
                state.observed.exit_code = None;
                Ok(Some(state))
            }
            outcome => outcome,
        }
    }
    async fn describe(&self, id: &str) -> Result<Option<Description>, RuntimeError> {
        self.fake.describe(id).await
    }
    async fn adopt(&self, adoption: &Adoption) -> Result<(), RuntimeError> {
        if self.lie == Lie::AdoptsInWordsOnly {
            return Ok(());
        }
        match self.fake.adopt(adoption).await {
            Err(RuntimeError::NameTaken { .. }) if self.lie == Lie::AdoptsOverOthers => {
                self.fake.vanish(&adoption.name);
                self.fake.adopt(adoption).await
            }
            outcome => outcome,
        }
    }
    fn recall(&self, adoptions: &[Adoption]) {
        if self.lie != Lie::NeverForgetsAdoptions {
            self.fake.recall(adoptions);
        }
    }
    async fn probe(&self, name: &str, test: &HealthTest, timeout: Duration) -> Result<Probe, RuntimeError> {
        match self.fake.probe(name, test, timeout).await {
            Ok(_) if self.lie == Lie::AllAreWell => Ok(Probe::passed("")),
            outcome => outcome,
        }
    }
    async fn list(&self) -> Result<Vec<ContainerState>, RuntimeError> {
        let mut all = self.fake.list().await?;
        if self.lie == Lie::ForgetsLabels {
            all.iter_mut().for_each(|container| container.observed.labels.clear());
        }
        Ok(all)
    }
    async fn owned(&self) -> Result<Owned, RuntimeError> {
        self.fake.owned().await
    }
    async fn last_lines(&self, name: &str, lines: usize) -> Result<Vec<String>, RuntimeError> {
        self.fake.last_lines(name, lines).await
    }
    async fn logs(&self, name: &str, mut query: LogQuery) -> Result<ContainerLog, RuntimeError> {
        if self.lie == Lie::IgnoresTails {
            query.tail = Tail::All;
        }
        let log = match self.fake.logs(name, query).await {
            Err(RuntimeError::NameTaken { .. }) if self.lie == Lie::ReadsForeignLogs => {
                ContainerLog { id: String::new(), entries: stream::empty().boxed() }
            }
            log => log?,
        };
        let lie = self.lie;
        let entries = log.entries.map(move |entry| {
            let mut entry = entry?;
            if lie == Lie::MixesSources {
                entry.source = LogSource::Stdout;
            }
            Ok(entry)
        });
        let late = match lie {
            Lie::EndsInError if query.follow => stream::iter([Err(RuntimeError::Failed("late".to_owned()))]).boxed(),
            _ => stream::empty().boxed(),
        };
        Ok(ContainerLog { id: log.id, entries: entries.chain(late).boxed() })
    }
    async fn exec(&self, name: &str, spec: &ExecSpec, mut feed: ExecFeed) -> Result<Execution, RuntimeError> {
        let lie = self.lie;
        if lie == Lie::LosesInput {
            feed.stdin = feed.stdin.skip(1).boxed();
        }
        let mut execution = match self.fake.exec(name, spec, feed).await {
            Err(RuntimeError::NameTaken { .. }) if lie == Lie::ExecsInForeign => {
                Execution { container_id: String::new(), events: stream::empty().boxed() }
            }
            execution => execution?,
        };
        if lie == Lie::ForgetsCodes {
            let forget = |event: Result<ExecEvent, _>| match event {
                Ok(ExecEvent::Exited(_)) => Ok(ExecEvent::Exited(0)),
                event => event,
            };
            execution.events = execution.events.map(forget).boxed();
        }
        Ok(execution)
    }
    async fn watch(&self) -> Result<BoxStream<'static, Result<ContainerChange, RuntimeError>>, RuntimeError> {
        let (changes, is_silent) = (self.fake.watch().await?, self.lie == Lie::AdjustsInSilence);
        let is_told = move |change: &Result<ContainerChange, RuntimeError>| {
            !(is_silent && change.as_ref().is_ok_and(|change| change.action == ContainerChange::UPDATE))
        };
        Ok(changes.filter(move |change| futures::future::ready(is_told(change))).boxed())
    }
}

impl RuntimeHarness for Saboteur {
    fn runtime(&self) -> Arc<dyn ContainerRuntime> {
        Arc::new(self.clone())
    }
    fn unreachable(&self) -> Option<Arc<dyn ContainerRuntime>> {
        let away = Self { fake: FakeRuntime::new(), lie: self.lie };
        away.fake.disconnect();
        Some(Arc::new(away))
    }
    fn workload(&self, workload: Workload) -> (String, Vec<String>) {
        (format!("{workload:?}"), Vec::new())
    }
    fn command(&self, chore: Chore) -> Vec<String> {
        let words: &[&str] = match chore {
            Chore::Echoes => &["cat"],
            Chore::Speaks => &["say", "out", "err", "3"],
            Chore::Measures => &["size"],
            Chore::Waits => &["wait"],
            Chore::Shows => &["show", FILE],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }
    fn absent_image(&self) -> String {
        "absent".to_owned()
    }
    fn make_foreign(&self, thing: Thing, name: &str) {
        self.fake.make_foreign(thing, name);
    }
    fn remove_foreign(&self, thing: Thing, name: &str) {
        self.fake.remove_foreign(thing, name);
    }
    fn block_on(&self, case: LocalBoxFuture<'_, ()>) {
        futures::executor::block_on(case);
    }
}

/// The names of the cases that this lie fails.
fn noticed_by(lie: Lie) -> Vec<&'static str> {
    let fails = |case: &dyn Fn(&Saboteur)| {
        let fake = FakeRuntime::new();
        fake.put_image("Runs", Program::runs());
        fake.put_image("Listens", Program::runs().listening(LISTENS_AT));
        fake.put_image("Speaks", Program::exits(3).saying(["one", "two", "three"]));
        fake.put_image("Murmurs", Program::runs().saying(["out"]).complaining(["err"]));
        catch_unwind(AssertUnwindSafe(|| case(&Saboteur { fake, lie }))).is_err()
    };
    let mut failed: Vec<_> = names().filter(|name| fails(&|harness| run(name, harness))).collect();
    if fails(&|harness| run_unreachable(harness)) {
        failed.push("an_engine_that_does_not_answer_is_unreachable");
    }
    failed
}

#[test]
fn every_lie_is_noticed_by_the_case_that_asks_for_it() {
    for (lie, case) in [
        (Lie::SilenceIsAbsence, "an_engine_that_does_not_answer_is_unreachable"),
        (Lie::AnyVersionWillDo, "another_version_has_the_name"),
        (Lie::ForeignIsOurs, "a_foreign_container_is_shown_and_never_touched"),
        (Lie::RenamesOverOthers, "a_name_that_is_taken_is_given_to_no_other"),
        (Lie::RenamesOnce, "a_container_goes_on_under_another_name"),
        (Lie::AdoptsInWordsOnly, "an_adopted_container_is_the_same_and_one_of_ours"),
        (Lie::NeverForgetsAdoptions, "an_adopted_container_is_the_same_and_one_of_ours"),
        (Lie::AdoptsOverOthers, "what_is_not_there_and_a_name_that_is_taken_are_not_adopted"),
        (Lie::StartsOnlyOnce, "starting_twice_starts_once"),
        (Lie::ForgetsLabels, "labels_are_seen_again"),
        (Lie::ForgetsExitCodes, "an_exit_code_and_the_last_lines_are_kept"),
        (Lie::SharesPorts, "a_taken_port_is_port_taken"),
        (Lie::MakesVolumesOfNobody, "a_volume_that_comes_with_a_container_is_its_stacks"),
        (Lie::RemovesNoVolume, "a_foreign_volume_stays"),
        (Lie::TakesZeroForUnlimited, "a_limit_cannot_be_taken_away_in_place"),
        (Lie::ForgetsSettings, "settings_change_in_place_and_are_read_back"),
        (Lie::AdjustsInSilence, "other_settings_are_told"),
        (Lie::ReadsForeignLogs, "a_foreign_log_is_not_read"),
        (Lie::MixesSources, "a_log_is_followed_until_its_container_ends"),
        (Lie::EndsInError, "a_log_is_followed_until_its_container_ends"),
        (Lie::IgnoresTails, "a_log_is_read_from_its_beginning_its_end_and_a_moment"),
        (Lie::ExecsInForeign, "a_command_runs_only_in_what_runs_and_is_ours"),
        (Lie::ForgetsCodes, "a_command_writes_to_both_and_ends_with_its_code"),
        (Lie::LosesInput, "a_command_reads_to_the_end_of_its_input"),
        (Lie::PutsOnce, "a_file_that_was_put_is_there_after_every_start"),
        (Lie::PutsIntoForeign, "files_are_put_only_into_what_is_there_and_ours"),
        (Lie::TakesAnyPlatform, "a_present_image_of_another_platform_is_absent"),
        (Lie::MistakesImages, "a_container_tells_which_image_it_was_made_from"),
        (Lie::AllAreWell, "a_port_that_nobody_listens_at_is_not_well"),
    ] {
        let noticed = noticed_by(lie);
        assert!(noticed.contains(&case), "{lie:?} was noticed by {noticed:?}");
    }
    assert_eq!(noticed_by(Lie::None), [""; 0]);
}
