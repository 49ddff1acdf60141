//! Which failures of a registry pass.

use reqwest::StatusCode;
use zoea_http::{is_passing_error, is_passing_status};

use crate::ImageError;

/// Says whether what failed may succeed when it is begun again.
#[expect(clippy::wildcard_enum_match_arm, reason = "every other error is final")]
pub(crate) fn is_passing(error: &ImageError) -> bool {
    match error {
        ImageError::Transfer { source, .. } | ImageError::Unreachable { source, .. } => {
            is_passing_error(source)
        }
        ImageError::Stalled { .. } => true,
        // An upload whose token expired on the way begins again with a new one.
        ImageError::Refused { status, .. } => {
            *status == 401 || StatusCode::from_u16(*status).is_ok_and(is_passing_status)
        }
        _ => false,
    }
}
