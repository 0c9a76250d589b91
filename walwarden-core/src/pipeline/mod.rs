//! Changes or measures bytes on their way from the source to storage.
