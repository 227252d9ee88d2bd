using System.Diagnostics;
using System.Globalization;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Learning.Registry;
using static AsrPlatform.Host.Tests.Learning.Registry.AdapterFiles;

namespace AsrPlatform.Host.Tests.Learning.Registry;

/// <summary>Whatever the moment at which a process is killed, the active adapter is the old one or the new one, and whole.</summary>
public sealed class AdapterKillTests
{
    /// <summary>Argument of the process that is killed: the data folder.</summary>
    public const string Variable = "ASR_TEST_KILLED_REGISTRY";

    /// <summary>ASR_TEST_KILLS says another number.</summary>
    private const int Kills = 20;

    [Fact]
    public async Task Process_KilledAtRandomPoints_LeavesTheOldAdapterOrTheNewOne()
    {
        var kills = Environment.GetEnvironmentVariable("ASR_TEST_KILLS") is { Length: > 0 } given ? int.Parse(given, CultureInfo.InvariantCulture) : Kills;
        var folder = Directory.CreateTempSubdirectory("asr-kill-").FullName;
        var seed = Environment.TickCount;
        TestContext.Current.TestOutputHelper!.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var told = new Told();
        try
        {
            for (var kill = 0; kill < kills; kill++)
            {
                await RunAsync(folder, told, random.Next(1, 60), random.Next(0, 4000));
                await CheckAsync(folder, told);
            }

            TestContext.Current.TestOutputHelper!.WriteLine($"{kills} kills, {told.Added.Count} adapters that are left, {told.Changes} changes");
            Assert.True(told.Changes > kills / 2, "hardly anything happened before the kills");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>What the process does instead of running tests: adds, promotes, rolls back and deletes until it is killed.</summary>
    internal static async Task RunAsync(string folder)
    {
        var random = new Random(Environment.ProcessId);
        using var data = DataFolder.OpenBeside(folder, TimeProvider.System);
        var registry = new AdapterRegistry(data);
        await registry.RecoverAsync();
        var scratch = Path.Combine(folder, "scratch");
        Say("started");
        for (var i = 0; ; i++)
        {
            var inactive = registry.List().Where(adapter => adapter.Id != registry.ActiveId()).ToArray();
            switch (random.Next(5))
            {
                case 0 when registry.ActiveId() is not null:
                    Say("changing ?");
                    Say($"active {(await registry.RollBackAsync(AdapterScope.All, "test"))!.Adapter}");
                    break;
                case 1 when inactive.Length > 3:
                    var victim = inactive[random.Next(inactive.Length)].Id;
                    Say($"deleting {victim}");
                    await registry.DeleteAsync(victim);
                    Say($"deleted {victim}");
                    break;
                default:
                    var peft = Write(scratch, new string((char)('a' + (i % 26)), random.Next(1, 300_000)));
                    var id = (await registry.AddAsync(peft, New())).Id;
                    Directory.Delete(peft, recursive: true);
                    Say($"added {id}");
                    Say($"changing {id}");
                    await registry.PromoteAsync(id, AdapterScope.All, "test", provisional: random.Next(2) == 0, BaseHash);
                    Say($"active {id}");
                    break;
            }
        }
    }

    private static async Task RunAsync(string folder, Told told, int lines, int microseconds)
    {
        using var process = Process.Start(StartupHook.Start(Variable, folder))!;
        var count = 0;
        while (await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken) is { } line)
        {
            told.Note(line);
            if (++count == lines)
            {
                // Not always just after a line: somewhere within what comes next.
                var clock = Stopwatch.StartNew();
                SpinWait.SpinUntil(() => clock.Elapsed.TotalMicroseconds >= microseconds);
                process.Kill();
            }
        }

        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(128 + 9, process.ExitCode);
    }

    private static async Task CheckAsync(string folder, Told told)
    {
        using var data = DataFolder.Open(folder, TimeProvider.System);
        Assert.Equal("ok", data.Database.Read(connection => connection.Scalar("PRAGMA integrity_check")));
        var registry = new AdapterRegistry(data);
        await registry.RecoverAsync(TestContext.Current.CancellationToken);
        var active = registry.ActiveId();
        if (told.Changing is null)
        {
            Assert.Equal(told.Active, active);
        }
        else if (told.Changing != "?")
        {
            Assert.Contains(active, new[] { told.Active, told.Changing });
        }

        if (active is not null)
        {
            await registry.OpenAsync(active, BaseHash, TestContext.Current.CancellationToken);
        }

        // Every acknowledged one is there and whole, but for what was being deleted.
        foreach (var id in told.Added.Where(id => id != told.Deleting))
        {
            await registry.OpenAsync(id, BaseHash, TestContext.Current.CancellationToken);
        }

        Assert.All(told.Deleted, id => Assert.Null(registry.Find(id)));
        foreach (var adapter in registry.List())
        {
            await registry.OpenAsync(adapter.Id, BaseHash, TestContext.Current.CancellationToken);
        }

        told.Settle(active, registry.List().Select(adapter => adapter.Id));
    }

    private static void Say(string line)
    {
        Console.Out.WriteLine(line);
        Console.Out.Flush();
    }

    /// <summary>What the killed processes said.</summary>
    private sealed class Told
    {
        public HashSet<string> Added { get; } = [];

        public HashSet<string> Deleted { get; } = [];

        public string? Active { get; private set; }

        /// <summary>What was being made active; ? for a roll-back; null for nothing.</summary>
        public string? Changing { get; private set; }

        public string? Deleting { get; private set; }

        public int Changes { get; private set; }

        public void Note(string line)
        {
            var parts = line.Split(' ');
            switch (parts)
            {
                case ["added", var id]:
                    Added.Add(id);
                    break;
                case ["changing", var id]:
                    Changing = id;
                    break;
                case ["active", var id]:
                    (Active, Changing) = (id.Length > 0 ? id : null, null);
                    Changes++;
                    break;
                case ["deleting", var id]:
                    Deleting = id;
                    break;
                case ["deleted", var id]:
                    Added.Remove(id);
                    Deleted.Add(id);
                    Deleting = null;
                    break;
            }
        }

        /// <summary>The next process goes on from what there is.</summary>
        public void Settle(string? active, IEnumerable<string> there)
        {
            Added.Clear();
            Added.UnionWith(there);
            (Active, Changing, Deleting) = (active, null, null);
        }
    }
}
