use napi_derive::napi;

/// What went wrong, as data: the other half throws it.
#[napi(object, object_from_js = false)]
pub struct Failure {
    pub kind: String,
    pub code: String,
    pub message: String,
    pub causes: Vec<String>,
    pub next_action: String,
    pub retryable: bool,
    pub exit: u8,
}

impl<E: Into<walwarden_bindings::Failure>> From<E> for Failure {
    fn from(error: E) -> Self {
        let walwarden_bindings::Failure { kind, code, message, causes, next_action, retryable, exit } =
            error.into();
        Failure {
            kind: kind.to_owned(),
            code: code.to_owned(),
            message,
            causes,
            next_action: next_action.to_owned(),
            retryable,
            exit,
        }
    }
}

/// The failure of an argument without meaning.
#[napi]
pub fn argument_invalid(message: String) -> Failure {
    walwarden_bindings::Failure::argument(message).into()
}
