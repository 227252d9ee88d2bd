using AsrPlatform.Abstractions;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Training;

namespace AsrPlatform.Whisper.Tests.Training;

public sealed class CheckpointFoldersTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Save_Files_AreInTheCheckpoint()
    {
        var folders = Open();
        var path = Save(folders, 10, "a");
        Assert.Equal(_folder.File("checkpoint-10"), path);
        Assert.Equal("a", File.ReadAllText(Path.Combine(path, "weights")));
        Assert.Equal("a", File.ReadAllText(Path.Combine(path, "deep", "er")));
        Assert.Equal(["checkpoint-10"], Entries());
        Save(folders, 9, "b");
        Assert.Equal([9, 10], folders.Steps);
        Assert.Equal(path, folders.Latest);
    }

    [Fact]
    public void Save_SameStepAgain_Replaces()
    {
        var folders = Open();
        Save(folders, 1, "old");
        Save(folders, 1, "new");
        Assert.Equal("new", Content(1));
        Assert.Equal(["checkpoint-1"], Entries());
    }

    [Fact]
    public void Save_ThatFails_LeavesWhatWasThere()
    {
        var folders = Open();
        Save(folders, 1, "old");
        Assert.Throws<AsrException>(() => folders.Save(1, folder =>
        {
            File.WriteAllText(Path.Combine(folder, "weights"), "half");
            throw new AsrException("no space");
        }));
        Assert.Equal("old", Content(1));
        Assert.Equal(["checkpoint-1"], Entries());
    }

    /// <summary>While it is written, a checkpoint is not yet one.</summary>
    [Fact]
    public void Save_WhileWriting_IsNoCheckpointYet()
    {
        var folders = Open();
        folders.Save(5, folder =>
        {
            File.WriteAllText(Path.Combine(folder, "weights"), "half");
            Assert.Null(folders.Latest);
            Assert.Equal(["tmp-checkpoint-5"], Entries());
        });
        Assert.Equal([5], folders.Steps);
    }

    // What kill -9 leaves at each point of Save and of Rotate.
    [Theory]
    [InlineData("while writing", "checkpoint-1=old tmp-checkpoint-2=half", "checkpoint-1=old")]
    [InlineData("while writing one that replaces", "checkpoint-2=old tmp-checkpoint-2=half", "checkpoint-2=old")]
    [InlineData("between the two renames", "tmp-replaced-checkpoint-2=old tmp-checkpoint-2=new", "checkpoint-2=old")]
    [InlineData("before the replaced one is deleted", "tmp-replaced-checkpoint-2=old checkpoint-2=new", "checkpoint-2=new")]
    [InlineData("while one is deleted", "checkpoint-3=new tmp-deleted-checkpoint-2=half", "checkpoint-3=new")]
    public void Open_AfterAKill_HoldsWholeCheckpointsOnly(string when, string left, string expected)
    {
        foreach (var pair in left.Split(' ').Select(entry => entry.Split('=')))
        {
            Directory.CreateDirectory(_folder.File(pair[0]));
            File.WriteAllText(Path.Combine(_folder.File(pair[0]), "weights"), pair[1]);
        }

        var folders = Open();
        Assert.True(
            expected == string.Join(' ', Entries().Select(name => $"{name}={File.ReadAllText(Path.Combine(_folder.File(name), "weights"))}")), when);
        Assert.Equal(expected.Split('=')[0], Path.GetFileName(folders.Latest));
    }

    [Fact]
    public void Open_OthersFolders_AreLeftAlone()
    {
        Directory.CreateDirectory(_folder.File("tmp-checkpoint-x"));
        Directory.CreateDirectory(_folder.File("checkpoint-best"));
        Directory.CreateDirectory(_folder.File("runs"));
        Assert.Empty(Open().Steps);
        Assert.Equal(["checkpoint-best", "runs", "tmp-checkpoint-x"], Entries());
    }

    // transformers' rotate_checkpoints with its sort_checkpoints.
    [Theory]
    [InlineData(null, null, "1 2 3 4")]
    [InlineData(2, null, "3 4")]
    [InlineData(1, null, "4")]
    [InlineData(2, 1, "1 4")]
    [InlineData(3, 1, "1 3 4")]
    [InlineData(1, 2, "2 4")]
    [InlineData(1, 4, "4")]
    [InlineData(2, 3, "3 4")]
    [InlineData(9, 1, "1 2 3 4")]
    public void Rotate_Limit_KeepsTheNewestAndTheBest(int? limit, int? best, string kept)
    {
        var folders = Open();
        foreach (var step in new[] { 1, 2, 3, 4 })
        {
            Save(folders, step, "");
        }

        folders.Rotate(limit, best is { } step2 ? folders.PathOf(step2) : null);
        Assert.Equal(kept, string.Join(' ', folders.Steps));
        Assert.Equal(folders.Steps.Count, Entries().Length);
    }

    [Fact]
    public void StartingPoint_AsAsked_IsFoundOrRefused()
    {
        var folders = Open();
        var resume = new TrainingArguments { ResumeFromCheckpoint = "true" };
        Assert.Null(folders.StartingPoint(new TrainingArguments()));
        Assert.Contains("holds no checkpoint", Assert.Throws<AsrException>(() => folders.StartingPoint(resume)).Message, StringComparison.Ordinal);
        var path = folders.Save(3, folder => new TrainerState().Save(folder));
        Assert.Equal(path, folders.StartingPoint(resume));
        Assert.Equal(path, folders.StartingPoint(new TrainingArguments { ResumeFromCheckpoint = path }));
        Assert.Contains(
            "--resume-from-checkpoint true", Assert.Throws<AsrException>(() => folders.StartingPoint(new TrainingArguments())).Message, StringComparison.Ordinal);
        Assert.Contains(
            "no checkpoint folder", Assert.Throws<AsrException>(() => folders.StartingPoint(new TrainingArguments { ResumeFromCheckpoint = _folder.Root })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_WhereAFileIs_IsRefused() =>
        Assert.Throws<AsrException>(() => new CheckpointFolders(_folder.Write("file", "")));

    private CheckpointFolders Open() => new(_folder.Root);

    private static string Save(CheckpointFolders folders, int step, string content) => folders.Save(step, folder =>
    {
        File.WriteAllText(Path.Combine(folder, "weights"), content);
        Directory.CreateDirectory(Path.Combine(folder, "deep"));
        File.WriteAllText(Path.Combine(folder, "deep", "er"), content);
    });

    private string Content(int step) => File.ReadAllText(_folder.File($"checkpoint-{step}/weights"));

    private string[] Entries() => [.. Directory.GetFileSystemEntries(_folder.Root).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];
}
