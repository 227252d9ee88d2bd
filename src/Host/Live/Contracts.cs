using AsrPlatform.Abstractions.Decoding;

namespace AsrPlatform.Host.Live;

/// <summary>What <c>StartSession</c> takes; every member may be left out.</summary>
internal sealed record StartSessionRequest
{
    /// <summary>1–64 letters, digits, <c>-</c> and <c>_</c>; an existing id resumes. Left out: the host makes one that cannot be guessed.</summary>
    public string? SessionId { get; init; }

    /// <summary>Samples per second of the audio that will be sent.</summary>
    public int SampleRateHz { get; init; } = 16000;

    /// <summary>Language code such as <c>en</c>; left out, it is detected.</summary>
    public string? Language { get; init; }

    /// <summary><c>transcribe</c> (default) or <c>translate</c>.</summary>
    public string? Task { get; init; }

    /// <summary>An adapter's id; <c>active</c> or left out: whatever is active for its speaker, tenant or everybody; <c>none</c>: the base model.</summary>
    public string? Adapter { get; init; }

    /// <summary>Whose session it is, such as a customer: adapters can be active for a tenant alone; at most 64 characters.</summary>
    public string? Tenant { get; init; }

    /// <summary>Who speaks: adapters can be active for a speaker alone; at most 64 characters.</summary>
    public string? Speaker { get; init; }

    /// <summary>Text that the model is told precedes the audio, such as names that will be said; at most 4000 characters.</summary>
    public string? Prompt { get; init; }

    /// <summary>Words and names that may be said: where the audio sounds like one, it is preferred; at most 200 of 100 characters.</summary>
    public IReadOnlyList<string>? Hotwords { get; init; }

    /// <summary>Whether words of corrections are preferred in the same way, before anything is trained on them; left out: yes.</summary>
    public bool? Memory { get; init; }
}

/// <summary>Where a session stands: what a sender and a viewer resume from.</summary>
/// <param name="SessionId">The session.</param>
/// <param name="AcknowledgedSamples">Samples accepted so far: the offset to send from.</param>
/// <param name="LastSequence">Sequence of the newest caption update; 0 before the first.</param>
internal sealed record SessionPosition(string SessionId, long AcknowledgedSamples, long LastSequence);

/// <summary>Audio that the host has taken over; the sender may forget it.</summary>
/// <param name="AcknowledgedSamples">Samples of the session accepted so far.</param>
/// <param name="LagSeconds">Time by which captions are later than they should be; 0 while the host keeps up.</param>
internal readonly record struct AudioAcknowledgement(long AcknowledgedSamples, double LagSeconds = 0);

/// <summary>Life of a session.</summary>
internal enum SessionState
{
    /// <summary>Takes audio.</summary>
    Active,

    /// <summary>Takes no more audio; its last words are being decoded.</summary>
    Ending,

    /// <summary>Finished: every caption is committed.</summary>
    Ended,

    /// <summary>Stopped by an error; what was committed stands.</summary>
    Failed,
}

/// <summary>A session as <c>/api/sessions</c> shows it.</summary>
internal sealed record SessionDescription
{
    public required string SessionId { get; init; }

    /// <summary><c>active</c>, <c>ending</c>, <c>ended</c>, <c>failed</c>; <c>interrupted</c>: cut off by the end of a process, and no model yet to go on with.</summary>
    public required string State { get; init; }

    public string? Error { get; init; }

    public required int SampleRateHz { get; init; }

    public string? Language { get; init; }

    public required string Task { get; init; }

    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>When it ended or failed; null before.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    public required long AcknowledgedSamples { get; init; }

    public required long LastSequence { get; init; }

    /// <summary>As <see cref="AudioAcknowledgement.LagSeconds"/>.</summary>
    public double LagSeconds { get; init; }

    public required int Segments { get; init; }

    public required int Viewers { get; init; }
}

/// <summary>How a session's audio is turned into text.</summary>
/// <param name="SampleRateHz">Samples per second of the audio that is sent.</param>
/// <param name="Language">Language code, or null to detect it.</param>
/// <param name="Task">Transcribe or translate.</param>
/// <param name="Adapter">The adapter; null for whatever is active.</param>
/// <param name="Prompt">Text that the model is told precedes the audio; null for none.</param>
/// <param name="Tenant">Whose it is; null when that is not said.</param>
/// <param name="Speaker">Who speaks; null when that is not said.</param>
/// <param name="Hotwords">Words and names that may be said; null for none.</param>
/// <param name="Memory">Whether words of corrections are preferred.</param>
internal sealed record SessionSettings(
    int SampleRateHz,
    string? Language,
    TranscriptionTask Task,
    string? Adapter = null,
    string? Prompt = null,
    string? Tenant = null,
    string? Speaker = null,
    IReadOnlyList<string>? Hotwords = null,
    bool Memory = true);
