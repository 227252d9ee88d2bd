using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Abstractions.Corrections;
using AsrPlatform.Host.Live;

namespace AsrPlatform.Host.Data;

/// <summary>Keeps one running session: its audio in a file, its captions in the database.</summary>
internal sealed class SessionRecorder : ISessionJournal, IDisposable
{
    private readonly SessionArchive _archive;
    private readonly SessionAudioFile _audio;
    private bool _isFailing;
    private long _lasting; // sequence of the newest update that was handed over

    /// <param name="archive">Where captions go.</param>
    /// <param name="record">The session.</param>
    /// <param name="audio">Its file; the recorder's from now on.</param>
    /// <param name="captions">Its captions so far.</param>
    public SessionRecorder(SessionArchive archive, SessionRecord record, SessionAudioFile audio, IReadOnlyList<CaptionUpdate> captions)
    {
        _archive = archive;
        _audio = audio;
        Record = record;
        _lasting = captions.Count == 0 ? 0 : captions[^1].Sequence;
        History = new SessionHistory
        {
            StartedAt = record.StartedAt,
            Samples = audio.Samples,
            LastSequence = record.LastSequence,
            Captions = captions,
        };
    }

    /// <summary>The session when recording began.</summary>
    public SessionRecord Record { get; }

    public SessionHistory History { get; }

    /// <summary>Samples kept.</summary>
    public long Samples => _audio.Samples;

    public void AppendAudio(long position, ReadOnlySpan<float> samples)
    {
        try
        {
            _audio.Append(position, samples);
            _isFailing = false;
        }
        catch (AsrException error)
        {
            // Senders try again and again: one line says it.
            if (!_isFailing)
            {
                _archive.ReportUnwritable(Record.Id, error);
                _isFailing = true;
            }

            throw;
        }
    }

    public int ReadAudio(long position, Span<float> destination) => _audio.Read(position, destination);

    public Task WriteAsync(CaptionUpdate update, Correction? correction = null) =>
        _archive.WriteAsync(Record.Number, Interlocked.Exchange(ref _lasting, update.Sequence), update, correction);

    public Task ReserveAsync(long sequence) => _archive.ReserveAsync(Record.Number, sequence);

    /// <summary>Completes the audio file.</summary>
    public void Close() => _audio.Close();

    public void Dispose() => _audio.Dispose();
}
