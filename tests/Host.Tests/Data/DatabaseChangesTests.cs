using AsrPlatform.Host.Data;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace AsrPlatform.Host.Tests.Data;

/// <summary>One data folder, several that have it open.</summary>
public sealed class DatabaseChangesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("asr-data-").FullName;
    private readonly FakeTimeProvider _time = new();

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task OpenBeside_AHost_WritesWhatTheHostReads()
    {
        using var host = DataFolder.Open(_folder, TimeProvider.System);
        using (var beside = DataFolder.OpenBeside(_folder, TimeProvider.System))
        {
            await Activate(beside, "a1");
        }

        await Activate(host, "a2");
        Assert.Equal(2L, host.Database.Read(connection => connection.Scalar("SELECT count(*) FROM activation")));
    }

    [Fact]
    public async Task OpenBeside_SeveralAtOnceOnANewFolder_MakeItOnce()
    {
        var inner = Path.Combine(_folder, "new");
        await Task.WhenAll(Enumerable.Range(0, 4).Select(process => Task.Run(async () =>
        {
            using var beside = DataFolder.OpenBeside(inner, TimeProvider.System);
            for (var i = 0; i < 20; i++)
            {
                await Activate(beside, $"{process}-{i}");
            }
        })));
        using var host = DataFolder.Open(inner, TimeProvider.System);
        Assert.Equal(80L, host.Database.Read(connection => connection.Scalar("SELECT count(DISTINCT adapter) FROM activation")));
    }

    [Fact]
    public async Task Changes_OfAnother_AreToldWithinASecond_AndOwnOnesAreNot()
    {
        using var host = DataFolder.Open(_folder, TimeProvider.System);
        using var beside = DataFolder.OpenBeside(_folder, TimeProvider.System);
        await using var changes = new DatabaseChanges(host, _time, NullLogger<DatabaseChanges>.Instance);
        using var told = new SemaphoreSlim(0);
        changes.Changed += () => throw new InvalidOperationException("a subscriber that fails harms no other");
        changes.Changed += () => told.Release();
        await changes.StartAsync(TestContext.Current.CancellationToken);

        await Activate(host, "own");
        await TickAsync(host);
        Assert.Equal(0, told.CurrentCount);

        await Activate(beside, "other");
        await TickAsync(host);
        await told.WaitAsync(TestContext.Current.CancellationToken);
        await Activate(host, "own again");
        await TickAsync(host);
        await TickAsync(host);
        Assert.Equal(0, told.CurrentCount);
    }

    /// <summary>A second, and the look that belongs to it: a look asked for later is answered later.</summary>
    private async Task TickAsync(DataFolder folder)
    {
        _time.Advance(DatabaseChanges.Interval);
        await folder.Database.VersionOfOthersAsync();
    }

    private static Task Activate(DataFolder folder, string adapter) => folder.Database.WriteAsync(connection =>
        connection.Execute("INSERT INTO activation (scope, adapter, reason, at) VALUES ('', $adapter, 'test', 0)", ("$adapter", adapter)));
}
