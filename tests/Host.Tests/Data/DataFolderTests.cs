using AsrPlatform.Abstractions;
using AsrPlatform.Host.Data;

namespace AsrPlatform.Host.Tests.Data;

public sealed class DataFolderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("asr-data-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Open_AFolderInUse_NamesTheProcessThatHoldsIt()
    {
        using (DataFolder.Open(_folder, TimeProvider.System))
        {
            var error = Assert.Throws<AsrException>(() => DataFolder.Open(_folder, TimeProvider.System));
            Assert.StartsWith($"the data folder {_folder} is in use by process {Environment.ProcessId} on {Environment.MachineName}, since ", error.Message, StringComparison.Ordinal);
            Assert.EndsWith("stop that one, or choose another folder with --data-dir", error.Message, StringComparison.Ordinal);
        }

        DataFolder.Open(_folder, TimeProvider.System).Dispose();
    }

    [Fact]
    public void Open_WhatCannotBeAFolder_SaysSoOnce()
    {
        var file = Path.Combine(_folder, "file");
        File.WriteAllText(file, "");
        var error = Assert.Throws<AsrException>(() => DataFolder.Open(Path.Combine(file, "data"), TimeProvider.System));
        Assert.StartsWith("the data folder ", error.Message, StringComparison.Ordinal);
        Assert.EndsWith("Choose another with --data-dir.", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Open_ADatabaseOfANewerVersion_IsRefusedAndTheLockIsLetGo()
    {
        using (var folder = DataFolder.Open(_folder, TimeProvider.System))
        {
            await folder.Database.WriteAsync(connection => connection.Execute("PRAGMA user_version=999"));
        }

        for (var i = 0; i < 2; i++)
        {
            var error = Assert.Throws<AsrException>(() => DataFolder.Open(_folder, TimeProvider.System));
            Assert.Contains("written by a newer version of this program (schema 999", error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Open_WhatIsNoDatabase_SaysWhatToDo()
    {
        File.WriteAllText(Path.Combine(_folder, "asrplatform.db"), new string('x', 8192));
        var error = Assert.Throws<AsrException>(() => DataFolder.Open(_folder, TimeProvider.System));
        Assert.Contains("asrplatform.db is damaged or no database", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_MakesAFolderThatOthersCannotRead()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Unix permissions");
        var inner = Path.Combine(_folder, "new");
        const UnixFileMode Others = (UnixFileMode)0b111_111;
        using var folder = DataFolder.Open(inner, TimeProvider.System);
        Assert.Equal(UnixFileMode.None, File.GetUnixFileMode(inner) & Others);
        Assert.All(["asrplatform.db", "asrplatform.db-wal"], file => Assert.Equal(UnixFileMode.None, File.GetUnixFileMode(Path.Combine(inner, file)) & Others));
    }

    [Fact]
    public async Task Write_OneThatFails_LeavesThoseBesideItAlone()
    {
        using var folder = DataFolder.Open(_folder, TimeProvider.System);
        await folder.Database.WriteAsync(connection => connection.Execute("CREATE TABLE thing (id INTEGER PRIMARY KEY)"));

        // The first one holds the writer until the others wait together.
        using var held = new ManualResetEventSlim();
        var first = folder.Database.WriteAsync(_ =>
        {
            held.Wait();
            return true;
        });
        var writes = Enumerable.Range(0, 20).Select(i => folder.Database.WriteAsync(connection => connection.Execute("INSERT INTO thing VALUES ($id)", ("$id", i % 19)))).ToList();
        held.Set();
        await first;
        await Task.WhenAll(writes.Take(19));
        await Assert.ThrowsAsync<AsrException>(() => writes[19]);
        Assert.Equal(19L, folder.Database.Read(connection => connection.Scalar("SELECT count(*) FROM thing")));
    }

    [Fact]
    public async Task Dispose_FinishesWhatIsQueued()
    {
        Task[] writes;
        using (var folder = DataFolder.Open(_folder, TimeProvider.System))
        {
            await folder.Database.WriteAsync(connection => connection.Execute("CREATE TABLE thing (id INTEGER PRIMARY KEY)"));
            writes = [.. Enumerable.Range(0, 200).Select(i => folder.Database.WriteAsync(connection => connection.Execute("INSERT INTO thing VALUES ($id)", ("$id", i))))];
        }

        await Task.WhenAll(writes);
        using var again = DataFolder.Open(_folder, TimeProvider.System);
        Assert.Equal(200L, again.Database.Read(connection => connection.Scalar("SELECT count(*) FROM thing")));
    }
}
