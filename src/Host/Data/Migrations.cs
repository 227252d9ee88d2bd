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
    ];

    /// <summary>Brings a database to the newest version, each step whole or not at all.</summary>
    /// <exception cref="AsrException">The database is of a newer version.</exception>
    public static void Apply(SqliteConnection connection, string file)
    {
        var version = (int)(long)connection.Scalar("PRAGMA user_version")!;
        if (version > Steps.Length)
        {
            throw new AsrException($"{file} was written by a newer version of this program (schema {version}, this one knows {Steps.Length}): use that one");
        }

        for (; version < Steps.Length; version++)
        {
            using var transaction = connection.BeginTransaction();
            connection.Execute(Steps[version]);
            connection.Execute(string.Create(CultureInfo.InvariantCulture, $"PRAGMA user_version={version + 1}"));
            transaction.Commit();
        }
    }
}
