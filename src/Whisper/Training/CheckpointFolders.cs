using System.Globalization;
using AsrPlatform.Abstractions;
using AsrPlatform.Whisper.Files;

namespace AsrPlatform.Whisper.Training;

/// <summary>
/// The checkpoints of a run: <c>checkpoint-N</c> in its output folder. A folder of that name is always whole: checkpoints are written
/// aside, flushed to disk and renamed, and are renamed before they are deleted, so that the process may end at any point.
/// </summary>
/// <remarks>One object per output folder; not safe for concurrent calls.</remarks>
public sealed class CheckpointFolders
{
    private const string Prefix = "checkpoint-";

    /// <summary>A checkpoint that is being written.</summary>
    private const string WritingPrefix = "tmp-checkpoint-";

    /// <summary>A checkpoint that is being deleted.</summary>
    private const string DeletingPrefix = "tmp-deleted-checkpoint-";

    /// <summary>A checkpoint that gives way to a new one of its step.</summary>
    private const string ReplacedPrefix = "tmp-replaced-checkpoint-";

    private readonly string _directory;

    /// <summary>Opens an output folder, makes it where it is missing, and clears away what an earlier process left unfinished.</summary>
    /// <exception cref="AsrException">The folder cannot be made or changed.</exception>
    public CheckpointFolders(string outputDirectory)
    {
        ArgumentException.ThrowIfNullOrEmpty(outputDirectory);
        _directory = outputDirectory;
        Guard(outputDirectory, () =>
        {
            Directory.CreateDirectory(outputDirectory);
            foreach (var folder in Directory.GetDirectories(outputDirectory, ReplacedPrefix + "*"))
            {
                // Either its successor is in place, or it was never put there and this one is still the checkpoint.
                if (StepOf(folder, ReplacedPrefix) is { } step && !Directory.Exists(PathOf(step)))
                {
                    Directory.Move(folder, PathOf(step));
                }
                else
                {
                    Directory.Delete(folder, recursive: true);
                }
            }

            foreach (var prefix in new[] { WritingPrefix, DeletingPrefix })
            {
                foreach (var folder in Directory.GetDirectories(outputDirectory, prefix + "*").Where(folder => StepOf(folder, prefix) is not null))
                {
                    Directory.Delete(folder, recursive: true);
                }
            }

            Durable.FlushFolder(outputDirectory);
        });
    }

    /// <summary>The folder of a step's checkpoint, whether it is there or not.</summary>
    public string PathOf(int step) => Path.Combine(_directory, string.Create(CultureInfo.InvariantCulture, $"{Prefix}{step}"));

    /// <summary>The steps of the checkpoints that are there, ascending.</summary>
    public IReadOnlyList<int> Steps =>
        Guard(_directory, () => Directory.GetDirectories(_directory, Prefix + "*").Select(folder => StepOf(folder, Prefix)).OfType<int>().Order().ToArray());

    /// <summary>The folder of the newest checkpoint, or null when there is none.</summary>
    public string? Latest => Steps is { Count: > 0 } steps ? PathOf(steps[^1]) : null;

    /// <summary>The checkpoint that a run goes on from, as <see cref="TrainingArguments.ResumeFromCheckpoint"/> asks.</summary>
    /// <returns>Null for a new run.</returns>
    /// <exception cref="AsrException">There is no such checkpoint, or a new run would mix its checkpoints with those of an earlier one.</exception>
    public string? StartingPoint(TrainingArguments arguments)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        switch (arguments.ResumeFromCheckpoint)
        {
            case null when Latest is { } latest:
                throw new AsrException(
                    $"{_directory} holds checkpoints of an earlier run ({Path.GetFileName(latest)}): go on with --resume-from-checkpoint true, or give another --output-dir.");
            case null:
                return null;
            case "true":
                return Latest ?? throw new AsrException($"--resume-from-checkpoint: {_directory} holds no checkpoint.");
            case var folder:
                return File.Exists(Path.Combine(folder, TrainerState.FileName))
                    ? folder
                    : throw new AsrException($"--resume-from-checkpoint {folder}: this is no checkpoint folder; it has no {TrainerState.FileName}.");
        }
    }

    /// <summary>Saves a checkpoint, replacing one of the same step.</summary>
    /// <param name="step">Optimizer steps done.</param>
    /// <param name="write">Writes all files into the folder that it is given.</param>
    /// <returns>The checkpoint's folder.</returns>
    /// <exception cref="AsrException">It cannot be written; what was there before stays.</exception>
    public string Save(int step, Action<string> write)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        ArgumentNullException.ThrowIfNull(write);
        var (target, writing, replaced) = (PathOf(step), Aside(WritingPrefix, step), Aside(ReplacedPrefix, step));
        Guard(writing, () =>
        {
            DeleteIfThere(writing);
            Directory.CreateDirectory(writing);
        });
        try
        {
            write(writing);
            Durable.FlushTree(writing);
        }
        catch
        {
            TryDelete(writing);
            throw;
        }

        Guard(target, () =>
        {
            if (Directory.Exists(target))
            {
                DeleteIfThere(replaced);
                Directory.Move(target, replaced);
            }

            Directory.Move(writing, target);
            Durable.FlushFolder(_directory);
            DeleteIfThere(replaced);
        });
        return target;
    }

    /// <summary>Deletes the oldest checkpoints, as transformers' <c>rotate_checkpoints</c>: never the newest, never the best.</summary>
    /// <param name="limit">How many to keep; the best besides when the limit is 1. Null keeps all.</param>
    /// <param name="best">The best checkpoint's folder or step name, or null.</param>
    /// <exception cref="AsrException">A checkpoint cannot be deleted.</exception>
    public void Rotate(int? limit, string? best)
    {
        if (limit is null)
        {
            return;
        }

        var steps = Steps;
        var kept = best is null ? null : StepOf(best, Prefix);
        var keep = limit == 1 && kept is not null && steps.Contains(kept.Value) && kept != steps[^1] ? 2 : limit.Value;
        var surplus = steps.Count - keep;
        foreach (var step in steps.Where(step => step != kept && step != steps[^1]).Take(Math.Max(0, surplus)).ToArray())
        {
            Delete(step);
        }
    }

    private void Delete(int step)
    {
        var deleting = Aside(DeletingPrefix, step);
        Guard(PathOf(step), () =>
        {
            DeleteIfThere(deleting);
            Directory.Move(PathOf(step), deleting);
            Durable.FlushFolder(_directory);
            Directory.Delete(deleting, recursive: true);
        });
    }

    private string Aside(string prefix, int step) => Path.Combine(_directory, string.Create(CultureInfo.InvariantCulture, $"{prefix}{step}"));

    private static int? StepOf(string folder, string prefix)
    {
        var name = Path.GetFileName(folder.TrimEnd(Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar));
        return name.StartsWith(prefix, StringComparison.Ordinal)
            && int.TryParse(name.AsSpan(prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var step)
            ? step
            : null;
    }

    private static void DeleteIfThere(string folder)
    {
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void TryDelete(string folder)
    {
        try
        {
            DeleteIfThere(folder);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // The first error is the one to report; the next start clears the rest away.
        }
    }

    private static void Guard(string path, Action work) => Guard(path, () =>
    {
        work();
        return true;
    });

    private static T Guard<T>(string path, Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"{path}: {error.Message}", error);
        }
    }
}
