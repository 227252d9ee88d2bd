using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Learning.Corrections;
using Microsoft.Extensions.Time.Testing;

namespace AsrPlatform.Host.Tests.Learning.Corrections;

public sealed class CorrectionStoreTests
{
    private const int Rate = 16000;

    [Fact]
    public async Task Correct_OneSegment_KeepsItsWholeUtteranceWithItsAudio()
    {
        using var session = await KeptSession.StartAsync();
        await session.CommitAsync(1, "before it", 0.5, 2);
        await session.CommitAsync(2, "take two", 3, 4, adapter: "a1");
        await session.CommitAsync(3, "tablets of paracetmol", 4, 5.5, adapter: "a1");
        await session.CommitAsync(4, "a day", 5.5, 6, adapter: "a1");
        await session.CommitAsync(5, "after it", 7, 8);
        await session.EndAsync();

        var correction = await session.CorrectAsync(3, "tablets of paracetamol", author: "Ada", speaker: "Grace");

        Assert.Equal("take two tablets of paracetmol a day", correction.Hypothesis);
        Assert.Equal("take two tablets of paracetamol a day", correction.Text);
        Assert.Equal((3L * Rate, 6L * Rate), (correction.StartSample, correction.EndSample));
        Assert.Equal(("talk", 3L, 6L, "Ada", "Grace", "en", "a1"), (correction.SessionId, correction.SegmentId, correction.Sequence, correction.Author, correction.Speaker, correction.Language, correction.AdapterVersion));
        Assert.Equal(CorrectionState.Stored, correction.State);
        Assert.Equal([new WordChange("replace", "paracetmol", "paracetamol")], correction.Diff.Where(change => change.Op != "equal"));

        // Words count from the clip's start.
        Assert.Equal(["take", "two", "tablets", "of", "paracetmol", "a", "day"], correction.Words.Select(word => word.Text));
        Assert.Equal((0, 1.2, 0.5), (correction.Words[0].Start, correction.Words[4].Start, correction.Words[4].Confidence));

        var clip = session.Corrections.ReadClip(correction);
        Assert.Equal(3 * Rate, clip.Length);
        Assert.All(Enumerable.Range(0, clip.Length), index => Assert.Equal(KeptSession.Sample((3 * Rate) + index), clip[index]));
        Assert.Equal(session.Corrections.Clips.FileOf(correction.Clip!), Assert.Single(session.ClipFiles()));
        Assert.Equal(correction.Clip, Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(await File.ReadAllBytesAsync(session.ClipFiles()[0], TestContext.Current.CancellationToken))));
    }

    [Fact]
    public async Task Correct_SeveralSegmentsOfAnUtterance_IsOneExampleWithTheNewestTexts()
    {
        using var session = await KeptSession.StartAsync();
        await session.CommitAsync(1, "won", 1, 2);
        await session.CommitAsync(2, "too", 2, 3);
        await session.CommitAsync(3, "free", 3, 4);
        await session.EndAsync();
        var first = await session.CorrectAsync(1, "one");
        await session.Folder.Database.WriteAsync(connection => connection.Execute("UPDATE correction SET state = 'ready', split = 'held-out'"));
        var second = await session.CorrectAsync(3, "for");
        var third = await session.CorrectAsync(3, "three");

        Assert.Equal(("won too free", "one too three", CorrectionState.Stored), (third.Hypothesis, third.Text, third.State));

        // The utterance stays on its side.
        Assert.Equal("held-out", third.Split);
        foreach (var older in new[] { first, second })
        {
            var now = session.Corrections.Find(older.Number)!;
            Assert.Equal((CorrectionState.Superseded, null, $"correction {third.Number} of the same utterance is newer"), (now.State, now.Clip, now.Reason));
        }

        Assert.Empty(session.Corrections.Ready());
        await session.Corrections.ReviewAsync(third.Number, isReleased: true);
        var ready = Assert.Single(session.Corrections.Ready());
        Assert.Equal(third.Number, ready.Correction.Number);
        Assert.True(File.Exists(ready.ClipFile));
        Assert.Contains("is superseded", (await Assert.ThrowsAsync<AsrException>(() => session.Corrections.ReviewAsync(first.Number, isReleased: true))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Correct_InALongUtterance_KeepsThePartThatAModelHears()
    {
        using var session = await KeptSession.StartAsync(seconds: 100);
        for (var segment = 1; segment <= 90; segment++)
        {
            await session.CommitAsync(segment, $"w{segment}", segment, segment + 1);
        }

        await session.EndAsync();
        var correction = await session.CorrectAsync(50, "fifty");

        // Parts of 15 from the utterance's start: 46 … 60.
        Assert.Equal((46L * Rate, 61L * Rate), (correction.StartSample, correction.EndSample));
        Assert.Equal(string.Join(' ', Enumerable.Range(46, 15).Select(segment => segment == 50 ? "fifty" : $"w{segment}")), correction.Text);

        // A correction of another part is another example.
        await session.CorrectAsync(61, "sixty-one");
        Assert.Equal(CorrectionState.Stored, session.Corrections.Find(correction.Number)!.State);
    }

    [Fact]
    public async Task Correct_InASessionOfAnotherRate_CutsAClipOf16Kilohertz()
    {
        using var session = await KeptSession.StartAsync(sampleRateHz: 8000);
        await session.CommitAsync(1, "hello", 1, 2.5);
        await session.EndAsync();
        var correction = await session.CorrectAsync(1, "hallo");
        Assert.Equal((8000L, 20000L), (correction.StartSample, correction.EndSample));
        Assert.Equal(1.5 * Rate, session.Corrections.ReadClip(correction).Length);
    }

    [Fact]
    public async Task ToScreen_WhileAnUtteranceGrows_WaitsForItAndTakesItWhole()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(50));
        using var session = await KeptSession.StartAsync(time: time);
        await session.CommitAsync(1, "one", 1, 2);
        var correction = await session.CorrectAsync(1, "won");
        Assert.Empty(session.Corrections.ToScreen());
        await session.CommitAsync(2, "two", 2, 3);
        Assert.Empty(session.Corrections.ToScreen());
        await session.CommitAsync(3, "three", 4, 5);

        var waiting = Assert.Single(session.Corrections.ToScreen());
        var refreshed = await session.Corrections.RefreshAsync(waiting);
        Assert.Equal(("won two", 3L * Rate), (refreshed!.Text, refreshed.EndSample));
        Assert.Equal(2 * Rate, session.Corrections.ReadClip(refreshed).Length);

        // What was screened before it grew is not judged by that.
        Assert.False(await session.Corrections.JudgeAsync(correction, new ScreeningVerdict(true, null)));
        Assert.True(await session.Corrections.JudgeAsync(refreshed, new ScreeningVerdict(false, "odd")));
        Assert.Equal((CorrectionState.Held, "odd"), (session.Corrections.Find(correction.Number)!.State, session.Corrections.Find(correction.Number)!.Reason));

        // One whose utterance may still grow is not waited for long.
        await session.CorrectAsync(3, "tree");
        Assert.Empty(session.Corrections.ToScreen());
        time.Advance(CorrectionStore.Growth);
        Assert.Single(session.Corrections.ToScreen());
    }

    [Fact]
    public async Task Delete_TakesAudioAndTextAwayAndMarksAdapters()
    {
        using var session = await KeptSession.StartAsync();
        await session.CommitAsync(1, "heard", 1, 2);
        await session.CommitAsync(2, "else", 3, 4);
        await session.EndAsync();
        var secret = await session.CorrectAsync(1, "secretword");
        var other = await session.CorrectAsync(2, "other");
        await session.AddAdapterAsync("with", "promoted", secret.Number, other.Number);
        await session.AddAdapterAsync("without", "promoted", other.Number);
        Assert.Equal("with", session.Corrections.Find(secret.Number)!.LearnedBy);
        var dataset = Directory.CreateDirectory(Path.Combine(session.Folder.Directory, "datasets", "aa")).FullName;
        var untouched = Directory.CreateDirectory(Path.Combine(session.Folder.Directory, "datasets", "bb")).FullName;
        await File.WriteAllTextAsync(Path.Combine(dataset, "train.jsonl"), $$"""{"audio":"x.wav","text":"secretword","id":{{secret.Number}},"kind":"correction"}""" + "\n", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(Path.Combine(untouched, "train.jsonl"), $$"""{"audio":"y.wav","text":"other","id":{{other.Number}},"kind":"correction"}""" + "\n", TestContext.Current.CancellationToken);

        var deleted = Assert.Single(await session.Archive.DeleteCorrectionsAsync([secret.Number, 999], "it was deleted", show: true));

        Assert.Equal(secret.Number, deleted.Correction.Number);
        Assert.Null(session.Corrections.Find(secret.Number));
        Assert.Equal(["heard", "other"], session.Texts());
        Assert.Equal(session.Corrections.Clips.FileOf(other.Clip!), Assert.Single(session.ClipFiles()));
        Assert.Equal($"it was trained on correction {secret.Number}: it was deleted", session.Taint("with"));
        Assert.Null(session.Taint("without"));
        Assert.False(Directory.Exists(dataset));
        Assert.True(Directory.Exists(untouched));

        // Viewers are shown the text before it as the next revision; no revision holds the deleted one, and none is missing.
        var revisions = session.Archive.Captions(session.Record, 0, newestOnly: false, 100);
        Assert.Equal([1L, 2, 3, 4, 5], revisions.Select(update => update.Sequence));
        Assert.Equal((1L, 3, CaptionState.Corrected, "heard"), (revisions[^1].SegmentId, revisions[^1].Revision, revisions[^1].State, revisions[^1].Text));
        Assert.Single(revisions[^1].Words);
        foreach (var file in Directory.EnumerateFiles(session.Folder.Directory, "asrplatform.db*"))
        {
            await using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            using var reader = new StreamReader(stream, System.Text.Encoding.Latin1);
            Assert.DoesNotContain("secretword", await reader.ReadToEndAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Delete_OneOfSeveralOfAnUtterance_LeavesTheOthersTextAlone()
    {
        using var session = await KeptSession.StartAsync();
        await session.CommitAsync(1, "won", 1, 2);
        await session.CommitAsync(2, "too", 2, 3);
        await session.EndAsync();
        var first = await session.CorrectAsync(1, "one");
        var second = await session.CorrectAsync(2, "two");
        var third = await session.CorrectAsync(1, "wan");
        await session.AddAdapterAsync("first", "promoted", first.Number);
        await session.AddAdapterAsync("third", "promoted", third.Number);

        // An earlier one: the later ones have its text, and so have adapters that were trained on those.
        await session.Archive.DeleteCorrectionsAsync([second.Number], "it was deleted", show: true);
        Assert.Null(session.Taint("first"));
        Assert.NotNull(session.Taint("third"));
        Assert.Equal(["wan", "too"], session.Texts());
        Assert.Equal("wan too", session.Corrections.Find(third.Number)!.Text);

        // The newest: the one before it counts again, with its own clip.
        await session.Archive.DeleteCorrectionsAsync([third.Number], "it was deleted", show: true);
        Assert.Equal(["one", "too"], session.Texts());
        var again = session.Corrections.Find(first.Number)!;
        Assert.Equal(("one too", CorrectionState.Stored), (again.Text, again.State));
        again = await session.Corrections.RefreshAsync(again);
        Assert.Equal(2 * Rate, session.Corrections.ReadClip(again!).Length);

        // What the withdrawal of the third showed again is the first's, too.
        await session.Archive.DeleteCorrectionsAsync([first.Number], "it was deleted", show: true);
        Assert.Equal(["won", "too"], session.Texts());
        Assert.DoesNotContain(session.Archive.Captions(session.Record, 0, newestOnly: false, 100), update => update.Text is "one" or "two" or "wan");
        Assert.Empty(session.ClipFiles());
    }

    [Fact]
    public async Task DeleteSession_TakesItsClipsAlongAndMarksAdapters()
    {
        using var session = await KeptSession.StartAsync();
        await session.CommitAsync(1, "heard", 1, 2);
        await session.EndAsync();
        var correction = await session.CorrectAsync(1, "said");
        await session.AddAdapterAsync("a1", "promoted", correction.Number);
        await session.Archive.DeleteAsync(session.Record);
        Assert.Empty(session.ClipFiles());
        Assert.Null(session.Corrections.Find(correction.Number));
        Assert.Contains("its session was deleted", session.Taint("a1"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Import_TheSameTwice_IsOne_AndALaterTextOfTheSameAudioCounts()
    {
        using var folder = DataFolder.OpenTemporary(TimeProvider.System);
        var corrections = new CorrectionStore(folder, TimeProvider.System);
        var samples = new float[Rate];
        samples[5] = 0.5f;
        var about = new CorrectionSource("Ada", "Grace", "medicines", "en");
        var first = await corrections.ImportAsync(samples, "one two", "won two", about);
        Assert.Null(await corrections.ImportAsync(samples, "one two", "", new CorrectionSource()));
        var imported = corrections.Find(first!.Value)!;
        Assert.Equal(("won two", "one two", "Ada", "Grace", "medicines", "en", CorrectionState.Stored), (imported.Hypothesis, imported.Text, imported.Author, imported.Speaker, imported.Domain, imported.Language, imported.State));
        Assert.Equal((null, null), (imported.SessionId, imported.SegmentId));
        Assert.Equal(samples, corrections.ReadClip(imported));

        var second = await corrections.ImportAsync(samples, "one too", "", about);
        Assert.Equal(CorrectionState.Superseded, corrections.Find(first.Value)!.State);
        await corrections.DeleteAsync([second!.Value], "it was deleted", (_, _, _) => { });
        Assert.Equal((CorrectionState.Stored, samples.Length), (corrections.Find(first.Value)!.State, corrections.ReadClip(corrections.Find(first.Value)!).Length));
        await corrections.DeleteAsync([first.Value], "it was deleted", (_, _, _) => { });
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(folder.Directory, "clips"), "*.wav", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task InTraining_IsWhatRunningRoundsPlan()
    {
        using var folder = DataFolder.OpenTemporary(TimeProvider.System);
        var corrections = new CorrectionStore(folder, TimeProvider.System);
        await folder.Database.WriteAsync(connection => connection.Execute(
            "INSERT INTO learning_job (id, state, trigger, settings, created_at) VALUES ('a', 'running', 'by hand', '{}', 0), ('b', 'done', 'by hand', '{}', 0), ('c', 'running', 'by hand', '{}', 0)"));
        foreach (var (job, numbers) in new[] { ("a", "3, 5"), ("b", "7") })
        {
            var round = Directory.CreateDirectory(Path.Combine(folder.Directory, "learning", job)).FullName;
            await File.WriteAllTextAsync(Path.Combine(round, "plan.json"), $$"""{"id":"{{job}}","corrections":[{{numbers}}]}""", TestContext.Current.CancellationToken);
        }

        Assert.Equal([3L, 5], corrections.InTraining().Order());
    }

    [Fact]
    public async Task Sweep_TakesOldClipsThatNothingNames()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        using var folder = DataFolder.OpenTemporary(time);
        var corrections = new CorrectionStore(folder, time);
        await corrections.ImportAsync(new float[100], "kept", "", new CorrectionSource());
        corrections.Clips.Put(new float[200]);
        await File.WriteAllTextAsync(Path.Combine(folder.Directory, "clips", "x.tmp"), "", TestContext.Current.CancellationToken);
        Assert.Equal(0, await corrections.Clips.SweepAsync());
        time.Advance(TimeSpan.FromHours(2));
        Assert.Equal(1, await corrections.Clips.SweepAsync());
        Assert.Equal(corrections.Ready().Count + 1, Directory.EnumerateFiles(Path.Combine(folder.Directory, "clips"), "*", SearchOption.AllDirectories).Count());
    }

    [Fact]
    public async Task Screen_ByAScorer_MakesReadyOrHolds()
    {
        using var session = await KeptSession.StartAsync();
        await session.CommitAsync(1, "hello word", 1, 2);
        await session.CommitAsync(2, "anything", 3, 4);
        await session.EndAsync();
        var right = await session.CorrectAsync(1, "hello world");
        var wrong = await session.CorrectAsync(2, "völlig anderes");
        CorrectionScreening.Screen(session.Corrections, new ScriptedScorer(word => word is "völlig" or "anderes" ? -18 : -2), null, TestContext.Current.CancellationToken);
        Assert.Equal(CorrectionState.Ready, session.Corrections.Find(right.Number)!.State);
        var held = session.Corrections.Find(wrong.Number)!;
        Assert.Equal(CorrectionState.Held, held.State);
        Assert.StartsWith("the text does not fit the audio", held.Reason, StringComparison.Ordinal);
        Assert.Equal((-7.2, -0.6667, 5.6667), (held.Scores!.Text, held.Scores.Hypothesis, held.Scores.Gap));
        Assert.Equal(CorrectionState.Ready, (await session.Corrections.ReviewAsync(wrong.Number, isReleased: true))!.State);
        Assert.Equal(CorrectionState.Refused, (await session.Corrections.ReviewAsync(right.Number, isReleased: false))!.State);
        Assert.Null(await session.Corrections.ReviewAsync(999, isReleased: true));
    }

    [Fact]
    public async Task Screen_InATranslatingSession_Holds()
    {
        using var session = await KeptSession.StartAsync(task: TranscriptionTask.Translate);
        await session.CommitAsync(1, "hello", 1, 2);
        await session.EndAsync();
        var correction = await session.CorrectAsync(1, "hello you");
        CorrectionScreening.Screen(session.Corrections, new ScriptedScorer(_ => -1), null, TestContext.Current.CancellationToken);
        Assert.Equal((CorrectionState.Held, "its session translates: what is learnt is what was said"), (session.Corrections.Find(correction.Number)!.State, session.Corrections.Find(correction.Number)!.Reason));
    }
}
