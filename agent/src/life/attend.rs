//! What is asked for at the control socket.

use anyhow::Result;

use crate::observation::request::{Done, Reply, Request};

use super::reload::{Agent, Cause};
use super::surroundings::Surroundings;

/// Does it, and answers.
pub(super) fn to(agent: &mut Agent, request: Request, here: &Surroundings) {
    match request {
        Request::Reload(reply) => answer(reply, agent.reload(Cause::Request, here)),
        Request::Apply(apply, reply) => answer(reply, said(agent.apply(&apply, here))),
        Request::Confirm(reply) => answer(reply, said(agent.confirm(here))),
        Request::Rollback(reply) => answer(reply, said(agent.rollback(here))),
        Request::SelfTest(reply) => answer(reply, agent.selftest().map(|()| Done { done: true })),
        Request::CastShadow(config, reply) => {
            answer(reply, agent.cast_shadow(config, here).map(|()| Done { done: true }));
        }
        Request::EndShadow(reply) => {
            agent.end_shadow();
            answer(reply, Ok(Done { done: true }));
        }
    }
}

fn said<T>(done: Result<T>) -> Result<T, String> {
    done.map_err(|error| format!("{error:#}"))
}

fn answer<T>(reply: Reply<T>, answer: Result<T, String>) {
    // Whoever asked may have gone.
    let _ = reply.send(answer);
}
