"""Why a bundle did not reach an inbox, in the words of those who read the page of deliveries. Pure."""

_DAMAGED = "Ask the patient for it again, or have it brought back from a backup."
_SETTINGS = "The people who run this service have to put it right."
SENTENCES = {
    "part-altered": f"A photo was damaged in storage. {_DAMAGED}",
    "part-missing": f"A photo is missing from storage. {_DAMAGED}",
    "bundle-format": "What is stored of these photos does not fit together. Ask the patient for them again.",
    "photos-deleted": "The photos were deleted before they arrived.",
    "no-inbox": f"This way is no longer among the settings. {_SETTINGS}",
    "unavailable": "It could not be reached.",
    "no-space": "There was no room left.",
    "error": f"Something went wrong that nobody had foreseen. {_SETTINGS}",
    "mesh-away": "MESH did not answer in time, or not as it should.",
    "mesh-tls": f"The connection to MESH is not trusted. {_SETTINGS}",
    "mesh-key": f"A key or password for MESH is missing. {_SETTINGS}",
    "mesh-refused": f"MESH did not let this service in. {_SETTINGS}",
    "mesh-no-mailbox": f"MESH knows no mailbox of your practice. {_SETTINGS}",
    "mesh-workflow": f"The mailboxes in MESH are not set up for photos. {_SETTINGS}",
    "mesh-not-taken": f"MESH refused the message. {_SETTINGS}",
    "mesh-half": f"A message to MESH was begun with other settings. {_SETTINGS}",
    "mesh-twice": f"MESH has these photos twice, so it cannot be said which counts. {_SETTINGS}",
    "came-back": "They came back, most often since nobody had fetched them in time. Send them again once your mailbox is emptied.",
    "folder-missing": f"The folder is not there: its disk or share may be away. {_SETTINGS}",
    "folder-full": f"There is no room left in the folder. {_SETTINGS}",
    "folder-read-only": f"This service may not write into the folder. {_SETTINGS}",
    "folder-away": "The folder did not answer as it should.",
    "folder-other": f"The folder holds another file of the same name. {_SETTINGS}",
    "s3-away": "The bucket did not answer in time, or the connection broke.",
    "s3-refused": f"The bucket did not let this service in. {_SETTINGS}",
    "s3-no-key": f"The key of the bucket is missing. {_SETTINGS}",
    "s3-no-bucket": f"The bucket is not there. {_SETTINGS}",
    "s3-elsewhere": f"The bucket is somewhere else. {_SETTINGS}",
    "s3-damaged": "What arrived was not what was sent, and was taken away again.",
    "s3-taken": f"The bucket holds something else of the same name. {_SETTINGS}",
    "s3-failed": f"The bucket answered something that was not expected. {_SETTINGS}",
    "bundle-too-large": "These photos together are too large for it.",
}
"""For each code (docs/errors.md) what it means, and what to do if there is anything."""
