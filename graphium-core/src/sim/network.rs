//! Messages between agents or operators and the server.

use super::{executor::Process, world::World};
use crate::control::Control;
use futures::{
    channel::oneshot,
    future::{Either, select},
};
use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How long a lost message keeps who waits for an answer: longer than anybody waits.
const FOR_EVER: Duration = Duration::from_secs(600);

/// No answer came: refused, reset, or nothing at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoAnswer;

/// The way back to who asked; several copies of one request share it.
struct Return<T>(Arc<Mutex<Option<oneshot::Sender<T>>>>);

impl<T> Clone for Return<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// What becomes of a request.
struct Fate {
    delay: Duration,
    is_lost: bool,
    /// Another copy comes after so long.
    again: Option<Duration>,
    /// The server notices when the caller gives up, and drops what it does for it.
    is_heard_hanging_up: bool,
}

impl World {
    /// Asks the control plane something over a network that may lose, double and delay it. `from` is a host, or an operator.
    pub(super) async fn ask<T, F>(
        self: &Arc<Self>,
        from: Option<usize>,
        what: &'static str,
        call: impl Fn(Arc<Control>) -> F + Send + Sync + 'static,
    ) -> Result<T, NoAnswer>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let fate = self.fate(from, what);
        let (sender, receiver) = oneshot::channel();
        let back = Return(Arc::new(Mutex::new(Some(sender))));
        // Held for as long as the caller waits.
        let (_present, gone) = oneshot::channel::<()>();
        let call = Arc::new(call);
        let gone = fate.is_heard_hanging_up.then_some(gone);
        if let Some(later) = fate.again {
            // Whichever copy arrives first is answered: neither may keep the caller from hearing the answer to the other.
            let (world, back, call) = (Arc::clone(self), back.clone(), Arc::clone(&call));
            self.spawn(Process::Wire, async move {
                world.sleep(later).await;
                if world.state().is_calm {
                    return;
                }
                world.tell("wire", || format!("{what} of {} arrives once more", world.party(from)));
                world.deliver(from, what, back, call, None);
            });
        }
        let (world, is_lost, delay, is_doubled) = (Arc::clone(self), fate.is_lost, fate.delay, fate.again.is_some());
        let send = async move {
            world.sleep(delay).await;
            if is_lost || (is_doubled && world.state().is_calm) {
                // Of what was sent twice in the storm nothing arrives in the calm: it would be a wish of long ago.
                return world.keep(back);
            }
            world.deliver(from, what, back, call, gone);
        };
        match fate.again {
            Some(_) => self.spawn(Process::Wire, send),
            None => send.await,
        }
        receiver.await.map_err(|_| NoAnswer)
    }

    fn fate(&self, from: Option<usize>, what: &str) -> Fate {
        let fate = {
            let mut state = self.state();
            let faults = state.faults.clone();
            let dice = &mut state.dice;
            let mut delay = dice.between(Duration::from_micros(100), Duration::from_millis(3));
            if dice.chance(faults.late) {
                delay = dice.millis(500, 40_000);
            }
            Fate {
                delay,
                is_lost: dice.chance(faults.lost),
                again: dice.chance(faults.doubled).then(|| dice.millis(0, 20_000)),
                is_heard_hanging_up: dice.chance(faults.hung_up),
            }
        };
        if fate.is_lost || fate.delay > Duration::from_millis(100) {
            from.iter().for_each(|host| self.is_not_heard(*host));
        }
        if fate.is_lost {
            self.tell("wire", || format!("{what} of {} is lost", self.party(from)));
        } else if fate.delay > Duration::from_millis(100) {
            self.tell("wire", || format!("{what} of {} takes {:?}", self.party(from), fate.delay));
        }
        fate
    }

    fn party(&self, from: Option<usize>) -> &str {
        from.map_or("an operator", |host| self.hosts[host].id.as_str())
    }

    /// Hands a request that has arrived to the server.
    fn deliver<T, F, C>(
        self: &Arc<Self>,
        from: Option<usize>,
        what: &'static str,
        back: Return<T>,
        call: Arc<C>,
        gone: Option<oneshot::Receiver<()>>,
    ) where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
        C: Fn(Arc<Control>) -> F + Send + Sync + 'static,
    {
        let (server, is_cut) = {
            let state = self.state();
            (state.server.clone(), from.is_some_and(|host| state.wires[host].to_server_cut))
        };
        if is_cut {
            from.iter().for_each(|host| self.is_not_heard(*host));
            self.tell("wire", || format!("{what} of {} is stopped at the cut", self.party(from)));
            return self.keep(back);
        }
        // Nobody listens there: dropping the way back tells so at once.
        let Some(control) = server else { return };
        if let Some(host) = from {
            self.state().heard[host] = self.elapsed();
        }
        let world = Arc::clone(self);
        self.spawn(Process::Server, async move {
            let work = call(control);
            let answer = match gone {
                None => work.await,
                Some(gone) => match select(pin!(work), gone).await {
                    Either::Left((answer, _)) => answer,
                    Either::Right(_) => {
                        world.tell("server", || format!("drops {what} of {}, who hung up", world.party(from)));
                        return;
                    }
                },
            };
            world.send_back(from, what, back, answer).await;
        });
    }

    async fn send_back<T: Send + 'static>(
        self: &Arc<Self>,
        from: Option<usize>,
        what: &str,
        back: Return<T>,
        answer: T,
    ) {
        let fate = self.fate(from, what);
        self.sleep(fate.delay).await;
        let is_cut = from.is_some_and(|host| self.state().wires[host].from_server_cut);
        if fate.is_lost || is_cut {
            from.iter().for_each(|host| self.is_not_heard(*host));
            self.tell("wire", || format!("the answer to {what} of {} does not arrive", self.party(from)));
            return self.keep(back);
        }
        let sender = back.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sender) = sender {
            // Who no longer waits is not told.
            let _ = sender.send(answer);
        }
    }

    /// Lets a caller wait: nothing tells it that no answer comes.
    fn keep<T: Send + 'static>(self: &Arc<Self>, back: Return<T>) {
        let world = Arc::clone(self);
        self.spawn(Process::Wire, async move {
            world.sleep(FOR_EVER).await;
            drop(back);
        });
    }
}
