//! The routes and their handlers.

use std::time::Duration;

use axum::{
    Router,
    extract::Path,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use erlang_process::{CallError, Reply};

use crate::links::{LINKS, Message};

pub(crate) fn all() -> Router {
    Router::new().route("/", post(shorten)).route("/{number}", get(follow)).route("/{number}/hits", get(hits))
}

async fn shorten(target: String) -> Result<String, Failure> {
    Ok(ask(|reply| Message::Shorten(target, reply)).await?.to_string())
}

async fn follow(Path(number): Path<usize>) -> Result<Redirect, Failure> {
    let target = ask(|reply| Message::Follow(number, reply)).await?;
    Ok(Redirect::to(&target.ok_or(Failure::NotFound)?))
}

async fn hits(Path(number): Path<usize>) -> Result<String, Failure> {
    let hits = ask(|reply| Message::Hits(number, reply)).await?;
    Ok(hits.ok_or(Failure::NotFound)?.to_string())
}

async fn ask<R: Send + 'static>(request: impl FnOnce(Reply<R>) -> Message) -> Result<R, CallError> {
    LINKS.subject().call(Duration::from_secs(5), request).await
}

/// Why a request was not answered.
enum Failure {
    NotFound,
    /// The actor is dead or slow. Another one is on its way.
    Unavailable(CallError),
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self::Unavailable(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND.into_response(),
            Self::Unavailable(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
        }
    }
}
