using System.Globalization;
using AsrPlatform.Abstractions;
using Microsoft.Data.Sqlite;

namespace AsrPlatform.Host.Data;

/// <summary>The database's schema, step by step: a database's <c>user_version</c> counts the steps that it has.</summary>
internal static class Migrations
{
    /// <summary>Steps are only ever added. Times are milliseconds since 1970, positions samples of the session at its own rate.</summary>
    private static readonly string[] Steps =
    [
        """
        CREATE TABLE session (
            number INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice: the audio file is named after it
            id TEXT NOT NULL UNIQUE,
            state TEXT NOT NULL CHECK (state IN ('active', 'ended', 'failed')),
            error TEXT,
            settings TEXT NOT NULL,                   -- JSON: what StartSession was asked for
            started_at INTEGER NOT NULL,
            ended_at INTEGER,
            samples INTEGER NOT NULL DEFAULT 0,       -- while it is active, the length of its file counts
            last_sequence INTEGER NOT NULL            -- while it is active, what may have been given
        ) STRICT;
        CREATE INDEX session_state ON session (state, number);

        -- Committed and corrected updates, every revision.
        CREATE TABLE caption (
            session INTEGER NOT NULL REFERENCES session (number) ON DELETE CASCADE,
            sequence INTEGER NOT NULL,
            segment INTEGER NOT NULL,
            revision INTEGER NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('committed', 'corrected')),
            text TEXT NOT NULL,
            words TEXT NOT NULL,                      -- JSON: [{text, start, end, confidence}]
            language TEXT,
            adapter_version TEXT NOT NULL,
            start_sample INTEGER NOT NULL,
            end_sample INTEGER NOT NULL,
            PRIMARY KEY (session, sequence)
        ) STRICT, WITHOUT ROWID;
        CREATE UNIQUE INDEX caption_revision ON caption (session, segment, revision);

        CREATE TABLE correction (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            session INTEGER NOT NULL REFERENCES session (number) ON DELETE CASCADE,
            id TEXT NOT NULL,                         -- the sender's
            segment INTEGER NOT NULL,
            seen_sequence INTEGER NOT NULL,
            sequence INTEGER NOT NULL,                -- of the update that shows it
            hypothesis TEXT NOT NULL,
            text TEXT NOT NULL,
            author TEXT,
            adapter_version TEXT NOT NULL,            -- what made the hypothesis
            start_sample INTEGER NOT NULL,
            end_sample INTEGER NOT NULL,
            created_at INTEGER NOT NULL,
            UNIQUE (session, id)
        ) STRICT;
        """,
        """
        -- Corrections may come from outside (an imported manifest), and carry what learning needs to know of them.
        CREATE TABLE correction_2 (
            number INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice: adapters remember what they were trained on by it
            session INTEGER REFERENCES session (number) ON DELETE CASCADE, -- null: imported
            id TEXT NOT NULL,                         -- the sender's
            segment INTEGER,                          -- the one that was corrected; this and the four below: null when imported
            seen_sequence INTEGER,
            sequence INTEGER,                         -- of the update that shows it
            start_sample INTEGER,                     -- of the whole utterance that the segment is of, as are all that follow
            end_sample INTEGER,
            hypothesis TEXT NOT NULL,                 -- what the model heard
            text TEXT NOT NULL,                       -- the newest text of each of its segments
            author TEXT,
            speaker TEXT,                             -- whose voice; null when unknown: then the session stands for it
            domain TEXT,                              -- what it is about; null when unknown
            language TEXT,
            adapter_version TEXT NOT NULL,            -- what made the hypothesis
            words TEXT,                               -- JSON: the hypothesis' words, [{text, start, end, confidence}], seconds from the clip's start; null when unknown
            diff TEXT,                                -- JSON: [{op, hypothesis, text}] by word
            clip TEXT,                                -- SHA-256 of its WAV in clips/; null until it is cut
            state TEXT NOT NULL DEFAULT 'stored' CHECK (state IN ('stored', 'ready', 'held', 'refused', 'superseded')), -- superseded: a later one of its utterance counts
            reason TEXT,                              -- of its state
            scores TEXT,                              -- JSON: what the screening measured
            split TEXT CHECK (split IN ('train', 'held-out')), -- given once, never changed
            created_at INTEGER NOT NULL,
            UNIQUE (session, id)
        ) STRICT;
        INSERT INTO correction_2 (number, session, id, segment, seen_sequence, sequence, start_sample, end_sample, hypothesis, text, author, adapter_version, created_at)
            SELECT number, session, id, segment, seen_sequence, sequence, start_sample, end_sample, hypothesis, text, author, adapter_version, created_at FROM correction;
        DROP TABLE correction;
        ALTER TABLE correction_2 RENAME TO correction;
        CREATE UNIQUE INDEX correction_imported ON correction (id) WHERE session IS NULL;
        CREATE INDEX correction_state ON correction (state, number);
        CREATE INDEX correction_clip ON correction (clip);
        CREATE INDEX correction_segment ON correction (session, segment);
        CREATE INDEX correction_author ON correction (author);

        -- What an adapter said, the newest sessions last.
        CREATE INDEX caption_adapter ON caption (adapter_version, session);

        -- Versions of adapters, a folder adapters/<id> each.
        CREATE TABLE adapter (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            parent TEXT,                              -- the adapter that it went on from; null: the base
            base TEXT NOT NULL,                       -- SHA-256 of the base model's weights
            state TEXT NOT NULL CHECK (state IN ('candidate', 'provisional', 'promoted', 'rejected', 'rolled-back')),
            reason TEXT,                              -- of its state
            tainted TEXT,                             -- why it should be rebuilt: what it was trained on has been deleted; null when clean
            card TEXT NOT NULL,                       -- JSON: docs/learning.md
            created_at INTEGER NOT NULL,
            decided_at INTEGER
        ) STRICT;
        -- What it and its parents were trained on; numbers stay when the corrections go.
        CREATE TABLE adapter_correction (
            adapter INTEGER NOT NULL REFERENCES adapter (number) ON DELETE CASCADE,
            correction INTEGER NOT NULL,
            PRIMARY KEY (adapter, correction)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX adapter_correction_correction ON adapter_correction (correction);
        -- What was made active when: the newest row of a scope counts.
        CREATE TABLE activation (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            scope TEXT NOT NULL,                      -- '' for all, else tenant:NAME or speaker:NAME
            adapter TEXT,                             -- null: the base model
            reason TEXT NOT NULL,
            at INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX activation_scope ON activation (scope, number);

        -- Rounds of learning, a folder learning/<id> each.
        CREATE TABLE learning_job (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
            trigger TEXT NOT NULL,                    -- by hand, by count, by age, by schedule, rebuild
            settings TEXT NOT NULL,                   -- JSON: what it was asked for
            outcome TEXT,                             -- JSON: decision, adapter, reason, metrics; null before its end
            error TEXT,
            created_at INTEGER NOT NULL,
            started_at INTEGER,
            ended_at INTEGER
        ) STRICT;
        CREATE INDEX learning_job_state ON learning_job (state, number);
        """,
    ];

    /// <summary>Brings a database to the newest version, each step whole or not at all.</summary>
    /// <exception cref="AsrException">The database is of a newer version.</exception>
    public static void Apply(SqliteConnection connection, string file)
    {
        while (Version() < Steps.Length)
        {
            // Another process may be doing the same: whoever comes second finds it done.
            using var transaction = connection.BeginTransaction();
            if (Version() is var version && version < Steps.Length)
            {
                connection.Execute(Steps[version]);
                connection.Execute(string.Create(CultureInfo.InvariantCulture, $"PRAGMA user_version={version + 1}"));
                transaction.Commit();
            }
        }

        int Version()
        {
            var version = (int)(long)connection.Scalar("PRAGMA user_version")!;
            return version <= Steps.Length
                ? version
                : throw new AsrException($"{file} was written by a newer version of this program (schema {version}, this one knows {Steps.Length}): use that one");
        }
    }
}
