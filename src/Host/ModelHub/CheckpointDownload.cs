using System.Diagnostics;
using System.Net;
using System.Text.Json;
using AsrPlatform.Abstractions;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Files;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Host.ModelHub;

/// <summary>How far a download is.</summary>
/// <param name="File">The file under way.</param>
/// <param name="DoneBytes">Bytes that are here, those of an earlier run included.</param>
/// <param name="TotalBytes">Bytes of all files; grows while the sizes of some are not known.</param>
/// <param name="BytesPerSecond">Of this run.</param>
internal readonly record struct DownloadProgress(string File, long DoneBytes, long TotalBytes, double BytesPerSecond);

/// <summary>What a download gave.</summary>
/// <param name="Directory">The checkpoint's folder.</param>
/// <param name="Commit">Its commit.</param>
/// <param name="Bytes">Size of its files.</param>
/// <param name="WasThere">Nothing had to be downloaded.</param>
/// <param name="Problem">Why the checkpoint cannot be used, all of it being as the hub has it; null when it can.</param>
internal sealed record DownloadResult(string Directory, string Commit, long Bytes, bool WasThere, string? Problem = null);

/// <summary>Downloads the files of a Whisper checkpoint: only those that are used, checked, in a folder that appears whole.</summary>
/// <remarks>
/// Files collect in <c>models/.partial/ORG/NAME</c> and stay there when a run ends early; the next one goes on with them. When all are as
/// the hub says, the folder is renamed to <c>models/ORG/NAME</c>.
/// </remarks>
internal sealed class CheckpointDownload
{
    private const string StateFile = "pulled.json";

    /// <summary>Tries of one file that bring no new byte.</summary>
    private const int MaxFruitlessTries = 5;

    private static readonly string[] SmallFiles =
    [
        WhisperConfig.FileName, GenerationConfig.FileName, PreprocessorConfig.FileName, "tokenizer.json", "vocab.json", "merges.txt",
        "added_tokens.json", "special_tokens_map.json", "tokenizer_config.json", "normalizer.json",
    ];

    private readonly HubClient _hub;
    private readonly string _modelsDirectory;
    private readonly Action<DownloadProgress>? _progress;
    private readonly TimeSpan _retryDelay;
    private readonly TimeSpan _stallTimeout;
    private readonly Stopwatch _clock = new();
    private long _total;
    private long _done;
    private long _received;

    /// <summary>Prepares a download.</summary>
    /// <param name="hub">Where from.</param>
    /// <param name="modelsDirectory">The folder of all models; made when missing.</param>
    /// <param name="progress">Told of every piece; may be null.</param>
    /// <param name="retryDelay">Wait before the second try after a cut connection, doubled for each further one.</param>
    /// <param name="stallTimeout">A connection that brings nothing for so long is taken for cut.</param>
    public CheckpointDownload(HubClient hub, string modelsDirectory, Action<DownloadProgress>? progress = null, TimeSpan? retryDelay = null, TimeSpan? stallTimeout = null)
    {
        _hub = hub;
        _modelsDirectory = modelsDirectory;
        _progress = progress;
        _retryDelay = retryDelay ?? TimeSpan.FromSeconds(1);
        _stallTimeout = stallTimeout ?? TimeSpan.FromSeconds(60);
    }

    /// <summary>Downloads a model, or finds that it is here.</summary>
    /// <param name="model">ORG/NAME.</param>
    /// <param name="revision">Branch, tag or commit.</param>
    /// <param name="cancellationToken">Stops; what is here is kept.</param>
    /// <exception cref="AsrException">It is not there, not allowed, no Whisper checkpoint in safetensors, damaged on the way, or there is no room.</exception>
    public async Task<DownloadResult> RunAsync(string model, string revision, CancellationToken cancellationToken)
    {
        var target = ModelName.FolderIn(_modelsDirectory, model);
        var partial = ModelName.FolderIn(Path.Combine(_modelsDirectory, ".partial"), model);
        var repository = await _hub.ListAsync(model, revision, cancellationToken);
        if (IsHere(target, repository.Commit) is { } bytes)
        {
            return new DownloadResult(target, repository.Commit, bytes, WasThere: true, FindProblem(target));
        }

        try
        {
            Directory.CreateDirectory(partial);
            using var only = Lock(partial, model);
            _clock.Start();
            await FetchAllAsync(model, repository, partial, target, cancellationToken);
            AtomicFile.Write(Path.Combine(partial, StateFile), stream => WriteState(stream, model, revision, repository.Commit, partial));
            only.Dispose();
            File.Delete(Path.Combine(partial, LockFile));
            Place(partial, target);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"{model} cannot be stored in {_modelsDirectory}: {error.Message.ReplaceLineEndings(" ")}", error);
        }

        return new DownloadResult(target, repository.Commit, SizeOf(target), WasThere: false, FindProblem(target));
    }

    private const string LockFile = ".lock";

    private static FileStream Lock(string partial, string model)
    {
        try
        {
            return new FileStream(Path.Combine(partial, LockFile), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException error)
        {
            throw new AsrException($"{model} is being downloaded by another process: wait for it", error);
        }
    }

    private async Task FetchAllAsync(string model, HubRepository repository, string partial, string target, CancellationToken cancellationToken)
    {
        if (repository.Find(WhisperConfig.FileName) is null)
        {
            throw new AsrException($"{model} has no {WhisperConfig.FileName}: it is no model in Hugging Face's layout");
        }

        HubFile[] small = [.. SmallFiles.Select(repository.Find).OfType<HubFile>()];
        var single = repository.Find(CheckpointWeights.SingleFile);
        var index = single is null ? repository.Find(CheckpointWeights.IndexFile) : null;
        if (single is null && index is null)
        {
            var pickled = repository.Files.FirstOrDefault(file => file.Path is "pytorch_model.bin" or "model.bin" or "pytorch_model.bin.index.json")?.Path;
            throw new AsrException(
                $"{model} has no {CheckpointWeights.SingleFile} at revision '{repository.Commit}'" +
                (pickled is null ? "" : $", only {pickled}, which this program does not read") +
                ": look for a revision with safetensors (--revision), or for another model");
        }

        HubFile[] first = index is null ? small : [.. small, index];
        _total = first.Sum(file => file.SizeBytes ?? 0) + (single?.SizeBytes ?? 0);

        // The small files tell whether the large ones are worth their time.
        foreach (var file in first)
        {
            await FetchAsync(model, repository.Commit, file, partial, target, cancellationToken);
        }

        RequireWhisper(model, Path.Combine(partial, WhisperConfig.FileName));
        HubFile[] weights = single is not null ? [single] : Shards(model, repository, Path.Combine(partial, CheckpointWeights.IndexFile));
        _total = first.Concat(weights).Sum(file => file.SizeBytes ?? 0);
        CheckRoom(partial, weights);
        foreach (var file in weights)
        {
            await FetchAsync(model, repository.Commit, file, partial, target, cancellationToken);
        }
    }

    private static HubFile[] Shards(string model, HubRepository repository, string indexPath)
    {
        var names = new SortedSet<string>(StringComparer.Ordinal);
        try
        {
            using var index = JsonDocument.Parse(File.ReadAllBytes(indexPath));
            foreach (var entry in index.RootElement.GetProperty("weight_map").EnumerateObject())
            {
                names.Add(entry.Value.GetString()!);
            }
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new AsrException($"{model}: {CheckpointWeights.IndexFile} is no index of shards", error);
        }

        return
        [
            .. names.Select(name => name.IndexOfAny(['/', '\\', '\0']) >= 0 || !name.EndsWith(".safetensors", StringComparison.Ordinal)
                ? throw new AsrException($"{model}: {CheckpointWeights.IndexFile} names '{name}', which is no shard")
                : repository.Find(name) ?? throw new AsrException($"{model} lacks the shard {name} that its index names")),
        ];
    }

    private async Task FetchAsync(string model, string commit, HubFile file, string partial, string target, CancellationToken cancellationToken)
    {
        var path = Path.Combine(partial, file.Path);
        var known = Path.Combine(target, file.Path);
        if (!IsGood(file, path) && (file.Sha256 ?? file.GitBlob) is not null && IsGood(file, known))
        {
            // The same file of an older commit.
            File.Copy(known, path, overwrite: true);
        }
        else if (!IsGood(file, path))
        {
            await DownloadAsync(model, commit, file, path, cancellationToken);
            return;
        }

        _done += file.SizeBytes ?? 0;
        Report(file);
    }

    /// <summary>Whether a file is here and known to be the right one.</summary>
    private static bool IsGood(HubFile file, string path) =>
        File.Exists(path) && (file.SizeBytes ?? (object?)file.Sha256 ?? file.GitBlob) is not null && file.Difference(path) is null;

    private async Task DownloadAsync(string model, string commit, HubFile file, string path, CancellationToken cancellationToken)
    {
        // Named by the content that it is a part of: a part of another commit's file is not gone on with.
        var part = $"{path}.{(file.Sha256 ?? file.GitBlob ?? commit).Replace('/', '-')[..Math.Min(12, (file.Sha256 ?? file.GitBlob ?? commit).Length)]}.part";
        var damaged = 0;
        while (true)
        {
            await DownloadPartAsync(model, commit, file, part, cancellationToken);
            if (file.Difference(part) is not { } difference)
            {
                File.Move(part, path, overwrite: true);
                return;
            }

            _done -= new FileInfo(part).Length;
            File.Delete(part);
            if (++damaged == 2)
            {
                throw new AsrException($"{model}: {file.Path} was damaged on the way, twice: {difference}; try again later or from another --endpoint");
            }
        }
    }

    /// <summary>Brings a part to its end, going on after cuts.</summary>
    private async Task DownloadPartAsync(string model, string commit, HubFile file, string part, CancellationToken cancellationToken)
    {
        var start = File.Exists(part) ? new FileInfo(part).Length : 0;
        _done += start;
        for (var fruitless = 0; ;)
        {
            var before = File.Exists(part) ? new FileInfo(part).Length : 0;
            Exception failure;
            try
            {
                if (await ReceiveAsync(model, commit, file, part, before, cancellationToken))
                {
                    return;
                }

                failure = new IOException("the connection was cut");
            }
            catch (Exception error) when (error is HttpRequestException or HttpIOException or OperationCanceledException)
            {
                cancellationToken.ThrowIfCancellationRequested();
                failure = error is OperationCanceledException ? new IOException("nothing arrives any more") : error;
            }

            fruitless = new FileInfo(part) is { Exists: true } info && info.Length > before ? 0 : fruitless + 1;
            if (fruitless == MaxFruitlessTries)
            {
                throw failure is HttpRequestException { StatusCode: { } status }
                    ? new AsrException($"{_hub.Endpoint} answers {(int)status} again and again: run this later, it goes on where it was", failure)
                    : _hub.Unreachable(failure);
            }

            await Task.Delay(_retryDelay * Math.Pow(2, fruitless), cancellationToken);
        }
    }

    /// <summary>One connection. True when the file's end was reached.</summary>
    private async Task<bool> ReceiveAsync(string model, string commit, HubFile file, string part, long offset, CancellationToken cancellationToken)
    {
        if (file.SizeBytes is { } size && offset == size)
        {
            return true;
        }

        using var stall = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        stall.CancelAfter(_stallTimeout);
        using var response = await _hub.OpenAsync(model, commit, file.Path, offset, stall.Token);
        if (response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable)
        {
            // What is here is longer than the file: start over.
            _done -= offset;
            File.Delete(part);
            return false;
        }

        if (response.StatusCode == HttpStatusCode.OK || response.Content.Headers.ContentRange?.From != offset)
        {
            if (response.StatusCode != HttpStatusCode.OK)
            {
                throw new HttpRequestException("the hub answers with another range than was asked for");
            }

            // Ranges are not supported: from the start.
            _done -= offset;
            offset = 0;
        }

        var expected = response.Content.Headers.ContentLength + offset;
        if (file.SizeBytes is null && offset == 0)
        {
            _total += expected ?? 0;
        }

        using var content = await response.Content.ReadAsStreamAsync(stall.Token);
        using var output = new FileStream(part, offset == 0 ? FileMode.Create : FileMode.Append, FileAccess.Write, FileShare.None, 0);
        var buffer = new byte[1 << 18];
        var written = offset;
        while (true)
        {
            stall.CancelAfter(_stallTimeout);
            var count = await ReadAsync(content, buffer, stall.Token);
            if (count == 0)
            {
                break;
            }

            await output.WriteAsync(buffer.AsMemory(0, count), cancellationToken);
            written += count;
            _done += count;
            _received += count;
            Report(file);
            if (file.SizeBytes is { } most && written > most)
            {
                // More than the hub said: the check will say so.
                return true;
            }
        }

        output.Flush(flushToDisk: true);
        return (file.SizeBytes ?? expected ?? written) <= written;
    }

    /// <summary>A failing read is the network's fault, a failing write the disk's: they must not look alike.</summary>
    private static async Task<int> ReadAsync(Stream content, byte[] buffer, CancellationToken cancellationToken)
    {
        try
        {
            return await content.ReadAsync(buffer, cancellationToken);
        }
        catch (IOException error) when (error is not HttpIOException)
        {
            throw new HttpIOException(HttpRequestError.ResponseEnded, error.Message, error);
        }
    }

    private void Report(HubFile file) =>
        _progress?.Invoke(new DownloadProgress(file.Path, _done, Math.Max(_total, _done), _received / Math.Max(_clock.Elapsed.TotalSeconds, 1e-3)));

    private static void CheckRoom(string partial, HubFile[] weights)
    {
        var here = Directory.EnumerateFiles(partial).Sum(path => new FileInfo(path).Length);
        var needed = weights.Sum(file => file.SizeBytes ?? 0) - here;
        if (new DriveInfo(Path.GetFullPath(partial)) is { } drive && drive.AvailableFreeSpace < needed)
        {
            throw new AsrException($"{partial}: the disk has {drive.AvailableFreeSpace >> 20} MiB left and {needed >> 20} MiB are needed: make room, or give another --data-dir");
        }
    }

    private static void RequireWhisper(string model, string configPath)
    {
        try
        {
            using var config = JsonDocument.Parse(File.ReadAllBytes(configPath));
            if (config.RootElement.TryGetProperty("model_type", out var type) && type.GetString() is { } name && name != "whisper")
            {
                throw new AsrException($"{model} is a '{name}' model: this program runs Whisper models");
            }
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw new AsrException($"{model}: {WhisperConfig.FileName} is no JSON object: it is no model in Hugging Face's layout", error);
        }
    }

    private static string? FindProblem(string directory)
    {
        try
        {
            using var checkpoint = WhisperCheckpoint.Open(directory);
            WhisperTokenizer.Load(directory);
            return null;
        }
        catch (AsrException error)
        {
            return error.Message;
        }
    }

    /// <summary>Puts the folder in place; an older one is there until the very moment.</summary>
    private static void Place(string partial, string target)
    {
        foreach (var left in Directory.EnumerateFiles(partial, "*.part"))
        {
            File.Delete(left);
        }

        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        var old = partial + ".old";
        if (Directory.Exists(old))
        {
            Directory.Delete(old, recursive: true);
        }

        if (Directory.Exists(target))
        {
            Directory.Move(target, old);
        }

        Directory.Move(partial, target);
        if (Directory.Exists(old))
        {
            Directory.Delete(old, recursive: true);
        }
    }

    private static void WriteState(Stream stream, string model, string revision, string commit, string folder)
    {
        using var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        writer.WriteStartObject();
        writer.WriteString("model", model);
        writer.WriteString("revision", revision);
        writer.WriteString("commit", commit);
        writer.WriteStartObject("files");
        foreach (var path in Directory.EnumerateFiles(folder).Where(path => !IsOwn(path)).Order(StringComparer.Ordinal))
        {
            writer.WriteNumber(Path.GetFileName(path), new FileInfo(path).Length);
        }

        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    private static bool IsOwn(string path) =>
        Path.GetFileName(path) is var name && (name[0] == '.' || name == StateFile || name.EndsWith(".part", StringComparison.Ordinal) || name.EndsWith(".tmp", StringComparison.Ordinal));

    /// <summary>The size of a folder that an earlier pull of the same commit placed, all files still there; else null.</summary>
    private static long? IsHere(string target, string commit)
    {
        var path = Path.Combine(target, StateFile);
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            using var state = JsonDocument.Parse(File.ReadAllBytes(path));
            return state.RootElement.GetProperty("commit").GetString() == commit
                && state.RootElement.GetProperty("files").EnumerateObject().All(file =>
                    new FileInfo(Path.Combine(target, file.Name)) is { Exists: true } info && info.Length == file.Value.GetInt64())
                ? SizeOf(target)
                : null;
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or IOException)
        {
            return null;
        }
    }

    private static long SizeOf(string folder) => Directory.EnumerateFiles(folder).Where(path => !IsOwn(path)).Sum(path => new FileInfo(path).Length);
}
