using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Abstractions.Corrections;

namespace AsrPlatform.Host.Live;

/// <summary>
/// Where one running session is kept, so that it outlives the process. The order is always: keep first, tell afterwards. Audio is
/// acknowledged once <see cref="AppendAudio"/> has returned, a caption is shown once <see cref="WriteAsync"/> has finished.
/// </summary>
/// <remarks>Audio is appended by one caller at a time; everything else is safe for concurrent calls. Writes finish in the order of their calls.</remarks>
internal interface ISessionJournal
{
    /// <summary>What was kept when the journal was opened; a new session's is empty.</summary>
    SessionHistory History { get; }

    /// <summary>Hands audio to the operating system: when it returns, the audio outlives the process.</summary>
    /// <param name="position">Samples kept before it; more than that are there when an earlier call failed midway, and are overwritten.</param>
    /// <param name="samples">Samples in −1…1 at the session's rate, kept as 16 bits.</param>
    /// <exception cref="AsrException">It cannot be kept; what was kept before is whole.</exception>
    void AppendAudio(long position, ReadOnlySpan<float> samples);

    /// <summary>Reads kept audio.</summary>
    /// <param name="position">First sample.</param>
    /// <param name="destination">Receives samples.</param>
    /// <returns>Samples read; fewer than asked for only at the end.</returns>
    /// <exception cref="AsrException">It cannot be read.</exception>
    int ReadAudio(long position, Span<float> destination);

    /// <summary>Keeps a committed or corrected update, unless one before it could not be kept: then none after it is, so that no gap is.</summary>
    /// <param name="update">The update; its sequence is above that of every earlier call.</param>
    /// <param name="correction">What made it, when a person did; kept together with it or not at all.</param>
    /// <returns>Ends when it is in the database; fails with <see cref="AsrException"/>.</returns>
    Task WriteAsync(CaptionUpdate update, Correction? correction = null);

    /// <summary>Keeps that sequences up to this one may have been seen, so that none is given twice after a restart.</summary>
    /// <returns>Ends when it is in the database; fails with <see cref="AsrException"/>.</returns>
    Task ReserveAsync(long sequence);
}

/// <summary>What is known of a session when its journal is opened.</summary>
internal sealed record SessionHistory
{
    /// <summary>When it began.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>Samples kept, and so acknowledged.</summary>
    public long Samples { get; init; }

    /// <summary>Sequences up to this one may have been seen; the next one is higher.</summary>
    public long LastSequence { get; init; }

    /// <summary>Every committed and corrected update, by sequence.</summary>
    public IReadOnlyList<CaptionUpdate> Captions { get; init; } = [];

    /// <summary>Sample up to which the text is final: what follows is decoded again.</summary>
    public long SettledSamples => Captions.Count == 0 ? 0 : Math.Min(Captions.Max(caption => caption.EndSample), Samples);

    /// <summary>The segment that was open.</summary>
    public long NextSegmentId => Captions.Count == 0 ? 1 : Captions.Max(caption => caption.SegmentId) + 1;
}
