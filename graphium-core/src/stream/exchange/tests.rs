use super::*;
use crate::{
    log::End,
    runtime::{LogEntry, LogSource},
    testing::ManualEnvironment,
};
use futures::{join, stream};

fn frame(text: &str) -> LogFrame {
    LogFrame::line(LogEntry { source: LogSource::Stdout, time: None, bytes: text.as_bytes().to_vec() })
}

fn call(epoch: u64, seconds: u64) -> StreamCall {
    StreamCall::new("vm1".into(), epoch, Duration::from_secs(seconds))
}

fn exchange() -> (ManualEnvironment, Arc<StreamExchange>) {
    let environment = ManualEnvironment::default();
    let exchange = StreamExchange::new(Arc::new(environment.clone()));
    (environment, Arc::new(exchange))
}

fn wanted() -> Wanted {
    Wanted { container: "web".to_owned(), ..Wanted::default() }
}

#[test]
fn a_reader_wakes_the_agent_of_its_host_and_gets_its_frames_in_order() {
    let (environment, exchange) = exchange();
    let agent = async {
        let asked = exchange.asked(&call(1, 30)).await.unwrap();
        assert!(matches!(&asked[0], StreamRequest::Log(log) if log.container == "web"));
        assert!(exchange.is_asked_by(&"vm1".into()) && !exchange.is_asked_by(&"vm2".into()));
        assert!(exchange.asked(&call(1, 1)).await.unwrap().is_empty(), "it is not told twice at once");
        let other: HostId = "vm2".into();
        let frames = || stream::iter([frame("one\n"), frame("two\n"), LogFrame::end(EndReason::Complete, "")]).boxed();
        exchange.serve(&other, asked[0].stream(), frames()).await.unwrap();
        exchange.serve(&call(1, 0).host, asked[0].stream(), frames()).await.unwrap();
    };
    let reader = async {
        environment.sleep(Duration::from_secs(3)).await;
        let mut reader = exchange.read(&"vm1".into(), wanted()).unwrap();
        assert_eq!(reader.next().await, Some(frame("one\n")), "another host's agent cannot answer");
        assert_eq!(reader.next().await, Some(frame("two\n")));
        assert_eq!(reader.next().await, Some(LogFrame::End(End::new(EndReason::Complete, ""))));
        assert_eq!(reader.next().await, None);
    };
    environment.run(async { join!(agent, reader) });
}

#[test]
fn a_request_whose_answer_was_lost_is_told_again_and_a_newer_agent_gets_it_at_once() {
    let (environment, exchange) = exchange();
    environment.run(async {
        let _reader = exchange.read(&"vm1".into(), wanted()).unwrap();
        let first = exchange.asked(&call(1, 30)).await.unwrap();
        let begun = environment.elapsed();
        assert_eq!(exchange.asked(&call(1, 30)).await.unwrap(), first);
        assert_eq!(environment.elapsed() - begun, AGAIN);
        assert_eq!(exchange.asked(&call(2, 30)).await.unwrap(), first);
        assert_eq!(environment.elapsed() - begun, AGAIN);
        let refused = exchange.asked(&call(1, 30)).await;
        assert!(matches!(refused, Err(LinkError::SessionLost(_))), "{refused:?}");
    });
}

#[test]
fn a_slow_reader_makes_its_agent_wait_and_one_that_leaves_ends_it() {
    let (environment, exchange) = exchange();
    environment.run(async {
        let mut slow = exchange.read(&"vm1".into(), wanted()).unwrap();
        let other = exchange.read(&"vm1".into(), wanted()).unwrap();
        let asked = exchange.asked(&call(1, 30)).await.unwrap();
        assert_eq!(asked.len(), 2);
        let taken = Arc::new(Mutex::new(0));
        let count = Arc::clone(&taken);
        let endless = stream::repeat_with(move || {
            *count.lock().unwrap() += 1;
            frame("x\n")
        });
        let host: HostId = "vm1".into();
        let stream = slow._place.stream.clone();
        let mut serving = pin!(exchange.serve(&host, &stream, endless.boxed()).fuse());
        assert!(serving.as_mut().now_or_never().is_none(), "it waits");
        let ahead = *taken.lock().unwrap();
        assert!(ahead <= AHEAD + 2, "{ahead} frames were taken ahead of the reader");
        slow.next().await.unwrap();
        assert!(serving.as_mut().now_or_never().is_none());
        assert!(*taken.lock().unwrap() > ahead, "it goes on as the reader does");
        drop(slow);
        assert!(serving.as_mut().now_or_never().is_some(), "it ends with its reader");
        // A silent log notices it, too.
        let silent = exchange.serve(
            &host,
            asked.iter().find(|asked| *asked.stream() != stream).unwrap().stream(),
            stream::pending().boxed(),
        );
        let mut silent = pin!(silent);
        assert!(silent.as_mut().now_or_never().is_none());
        drop(other);
        assert!(silent.as_mut().now_or_never().is_some());
    });
}

#[test]
fn so_many_may_read_and_no_more() {
    let (_, exchange) = exchange();
    let mut readers: Vec<_> = (0..MOST).map(|_| exchange.read(&"vm1".into(), wanted()).unwrap()).collect();
    assert!(exchange.read(&"vm2".into(), wanted()).is_none());
    readers.pop();
    assert!(exchange.read(&"vm2".into(), wanted()).is_some());
}

#[test]
fn a_reader_whose_agent_is_lost_is_told() {
    let (environment, exchange) = exchange();
    environment.run(async {
        let mut reader = exchange.read(&"vm1".into(), wanted()).unwrap();
        let asked = exchange.asked(&call(1, 30)).await.unwrap();
        let host: HostId = "vm1".into();
        {
            let frames = stream::iter([frame("one\n")]).chain(stream::pending()).boxed();
            let mut serving = pin!(exchange.serve(&host, asked[0].stream(), frames));
            assert!(serving.as_mut().now_or_never().is_none());
        }
        assert_eq!(reader.next().await, Some(frame("one\n")));
        assert_eq!(reader.next().await, None);
    });
}
