using AsrPlatform.Abstractions;
using AsrPlatform.Host.Data;

namespace AsrPlatform.Host.Learning.Rounds;

/// <summary>Texts and voices in the folders of rounds (<c>learning/ID</c>), which go with the round, or with a correction that it learns from.</summary>
internal static class RoundTraces
{
    /// <summary>One at a time clears: another one would pass over a round that this one holds, and say that all is cleared before it is.</summary>
    private static readonly Lock Clearing = new();

    /// <summary>Ends the rounds whose data set is gone, since a correction of it was deleted, and clears their folders.</summary>
    /// <remarks>A process that computes such a round notices within a second, and clears it itself.</remarks>
    /// <exception cref="AsrException">A folder cannot be cleared.</exception>
    public static async Task DropWithoutDataAsync(DataFolder folder)
    {
        var jobs = new LearningJobs(folder);
        foreach (var job in jobs.Open())
        {
            if (RoundFolder.Of(folder.Directory, job.Id).ReadPlan() is { } plan && !Directory.Exists(plan.DatasetFolder))
            {
                await jobs.FailAsync(job.Id, "a correction that it was to learn from was deleted: nothing was changed; start it again");
            }
        }

        ClearEnded(folder);
    }

    /// <summary>Clears the folders of rounds that have ended, or were cancelled while no process computed them.</summary>
    /// <exception cref="AsrException">A folder cannot be cleared.</exception>
    public static void ClearEnded(DataFolder folder)
    {
        var root = Path.Combine(folder.Directory, "learning");
        if (!Directory.Exists(root))
        {
            return;
        }

        using var _ = Clearing.EnterScope();
        var open = new LearningJobs(folder).Open().Select(job => job.Id).ToHashSet(StringComparer.Ordinal);
        foreach (var round in Directory.EnumerateDirectories(root).Where(round => !open.Contains(Path.GetFileName(round))))
        {
            new RoundFolder(round).TrimUnlessHeld(folder.Time);
        }
    }
}
