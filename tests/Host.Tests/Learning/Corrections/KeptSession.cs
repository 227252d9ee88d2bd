using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Abstractions.Corrections;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Learning.Corrections;
using AsrPlatform.Host.Live;
using Microsoft.Extensions.Logging.Abstractions;

namespace AsrPlatform.Host.Tests.Learning.Corrections;

/// <summary>A session in a data folder, with captions as a test writes them.</summary>
internal sealed class KeptSession : IDisposable
{
    private readonly SessionRecorder _recorder;
    private int _corrections;

    private KeptSession(DataFolder folder, SessionArchive archive, SessionRecorder recorder)
    {
        Folder = folder;
        Archive = archive;
        _recorder = recorder;
    }

    public DataFolder Folder { get; }

    public SessionArchive Archive { get; }

    public CorrectionStore Corrections => Archive.Corrections;

    public SessionRecord Record => Archive.Find("talk")!;

    /// <summary>Starts one; its audio is ramps, so that samples tell their place.</summary>
    public static async Task<KeptSession> StartAsync(double seconds = 60, int sampleRateHz = 16000, TranscriptionTask task = TranscriptionTask.Transcribe, TimeProvider? time = null)
    {
        var folder = DataFolder.OpenTemporary(time ?? TimeProvider.System);
        var archive = new SessionArchive(folder, Microsoft.Extensions.Options.Options.Create(new DataOptions()), time ?? TimeProvider.System, NullLogger<SessionArchive>.Instance);
        var settings = new SessionSettings(sampleRateHz, null, task);
        var recorder = await archive.CreateAsync("talk", settings);
        recorder.AppendAudio(0, [.. Enumerable.Range(0, (int)(seconds * sampleRateHz)).Select(sample => Sample(sample))]);
        return new KeptSession(folder, archive, recorder);
    }

    /// <summary>What the audio has at a place.</summary>
    public static float Sample(long place) => place % 20000 / 32768f;

    /// <summary>Commits a segment.</summary>
    public Task CommitAsync(long segment, string text, double start, double end, string language = "en", string adapter = "base")
    {
        var rate = Record.Settings.SampleRateHz;
        return _recorder.WriteAsync(new CaptionUpdate
        {
            SessionId = "talk",
            SegmentId = segment,
            Sequence = Record.LastSequence + 1,
            Revision = 1,
            State = CaptionState.Committed,
            Text = text,
            Words = [.. text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select((word, index) => new CaptionWord(word, start + (0.1 * index), start + (0.1 * index) + 0.1, 0.5))],
            Language = language,
            AdapterVersion = adapter,
            StartSample = (long)(start * rate),
            EndSample = (long)(end * rate),
        });
    }

    /// <summary>The session is over.</summary>
    public async Task EndAsync()
    {
        _recorder.Close();
        await Archive.CloseAsync(_recorder.Record.Number, StoredState.Ended, null, _recorder.Samples, Record.LastSequence);
    }

    /// <summary>Corrects a segment of the session that is over.</summary>
    public async Task<StoredCorrection> CorrectAsync(long segment, string text, string? author = null, string? speaker = null)
    {
        var id = $"c{++_corrections}";
        await Archive.CorrectAsync(Record, new Correction { Id = id, SessionId = "talk", SegmentId = segment, Sequence = 1, Text = text, Author = author, Speaker = speaker }, 100);
        await Corrections.CutAsync(Record.Number, id);
        return Corrections.List(new CorrectionFilter(), null, 100).First(correction => correction.Id == id);
    }

    /// <summary>The newest text of each segment.</summary>
    public string[] Texts() => [.. Archive.Captions(Record).Select(caption => caption.Text)];

    /// <summary>An adapter that was trained on corrections.</summary>
    public Task AddAdapterAsync(string id, string state, params long[] corrections) => Folder.Database.WriteAsync(connection =>
    {
        var number = (long)connection.Scalar(
            "INSERT INTO adapter (id, base, state, card, created_at) VALUES ($id, 'base', $state, '{}', 0) RETURNING number",
            ("$id", id),
            ("$state", state))!;
        foreach (var correction in corrections)
        {
            connection.Execute("INSERT INTO adapter_correction (adapter, correction) VALUES ($adapter, $correction)", ("$adapter", number), ("$correction", correction));
        }

        return true;
    });

    /// <summary>Why an adapter is tainted.</summary>
    public string? Taint(string adapter) => (string?)Folder.Database.Read(connection => connection.Scalar("SELECT tainted FROM adapter WHERE id = $id", ("$id", adapter)));

    public string[] ClipFiles() => Directory.Exists(Path.Combine(Folder.Directory, "clips"))
        ? [.. Directory.EnumerateFiles(Path.Combine(Folder.Directory, "clips"), "*", SearchOption.AllDirectories)]
        : [];

    public void Dispose()
    {
        _recorder.Dispose();
        Folder.Dispose();
    }
}
