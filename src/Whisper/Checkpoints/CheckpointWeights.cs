using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Nodes;
using AsrPlatform.Abstractions;

namespace AsrPlatform.Whisper.Checkpoints;

/// <summary>The tensors of a checkpoint folder, in one safetensors file or in shards; mapped, never copied.</summary>
/// <remarks>Safe for concurrent reads; nothing may be read while or after <see cref="Dispose"/> runs.</remarks>
public sealed class CheckpointWeights : IDisposable
{
    /// <summary>The file that holds everything.</summary>
    public const string SingleFile = "model.safetensors";

    /// <summary>The file that says which shard holds a tensor.</summary>
    public const string IndexFile = "model.safetensors.index.json";

    /// <summary>Largest file that weights are written in before there are several: 5 GB, as with Hugging Face's libraries for long.</summary>
    internal const long MaxShardBytes = 5_000_000_000;

    private readonly List<SafetensorsFile> _files = [];
    private readonly Dictionary<string, SafetensorsTensor> _tensors = new(StringComparer.Ordinal);

    private CheckpointWeights(string directory) => Directory = directory;

    /// <summary>The checkpoint folder.</summary>
    public string Directory { get; }

    /// <summary>All tensors by the name that they have in the files.</summary>
    public IReadOnlyDictionary<string, SafetensorsTensor> Tensors => _tensors;

    /// <summary>Opens the weights of a folder: <c>model.safetensors</c>, else the shards of its index. The caller disposes them.</summary>
    /// <exception cref="AsrException">There are none, a shard or a tensor is missing, or a file is broken; the message names it.</exception>
    public static CheckpointWeights Open(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        var weights = new CheckpointWeights(directory);
        try
        {
            if (File.Exists(Path.Combine(directory, SingleFile)))
            {
                weights.OpenSingle();
            }
            else if (ConfigFile.TryOpen(directory, IndexFile) is { } index)
            {
                weights.OpenShards(index);
            }
            else
            {
                throw NoWeights(directory);
            }

            return weights;
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    /// <summary>Writes a checkpoint's weights into a folder: one file, or shards with their index where it would be larger than one may be.</summary>
    /// <param name="directory">A folder that exists.</param>
    /// <param name="tensors">The tensors, in the order in which they fill the shards.</param>
    /// <param name="maxShardBytes">Largest size of a file's data; a tensor that is larger has a file of its own.</param>
    /// <exception cref="AsrException">A file cannot be written.</exception>
    internal static void Write(string directory, IEnumerable<SafetensorsEntry> tensors, long maxShardBytes = MaxShardBytes)
    {
        var shards = new List<List<SafetensorsEntry>> { new() };
        var (shardBytes, totalBytes) = (0L, 0L);
        foreach (var tensor in tensors)
        {
            var bytes = tensor.ByteLength;
            if (shardBytes > 0 && shardBytes + bytes > maxShardBytes)
            {
                shards.Add([]);
                shardBytes = 0;
            }

            shardBytes += bytes;
            totalBytes += bytes;
            shards[^1].Add(tensor);
        }

        if (shards.Count == 1)
        {
            SafetensorsWriter.Write(Path.Combine(directory, SingleFile), shards[0]);
            return;
        }

        var map = new SortedDictionary<string, JsonNode?>(StringComparer.Ordinal);
        for (var i = 0; i < shards.Count; i++)
        {
            var file = $"model-{i + 1:00000}-of-{shards.Count:00000}.safetensors";
            SafetensorsWriter.Write(Path.Combine(directory, file), shards[i]);
            foreach (var entry in shards[i])
            {
                map[entry.Name] = file;
            }
        }

        var index = new JsonObject { ["metadata"] = new JsonObject { ["total_size"] = totalBytes }, ["weight_map"] = new JsonObject(map) };
        CheckpointExport.WriteText(Path.Combine(directory, IndexFile), CheckpointExport.Text(index));
    }

    /// <summary>Whether a folder has weights that <see cref="Open"/> would look at; reads nothing.</summary>
    public static bool Exist(string directory) =>
        File.Exists(Path.Combine(directory, SingleFile)) || File.Exists(Path.Combine(directory, IndexFile));

    /// <summary>
    /// Looks up a tensor by its name with the <c>model.</c> prefix, in files with or without that prefix.
    /// </summary>
    public bool TryGet(string name, [NotNullWhen(true)] out SafetensorsTensor? tensor)
    {
        ArgumentNullException.ThrowIfNull(name);
        const string Prefix = "model.";
        return _tensors.TryGetValue(name, out tensor)
            || (name.StartsWith(Prefix, StringComparison.Ordinal) && _tensors.TryGetValue(name[Prefix.Length..], out tensor));
    }

    /// <summary>As <see cref="TryGet"/>, where the tensor must be there.</summary>
    /// <exception cref="AsrException">It is not.</exception>
    public SafetensorsTensor this[string name] =>
        TryGet(name, out var tensor) ? tensor : throw new AsrException($"The weights in {Directory} lack the tensor {SafetensorsFile.Quote(name)}.");

    /// <summary>Unmaps all files; spans and addresses taken from tensors become invalid.</summary>
    public void Dispose()
    {
        foreach (var file in _files)
        {
            file.Dispose();
        }
    }

    private static AsrException NoWeights(string directory)
    {
        string[] foreign = ["pytorch_model.bin", "pytorch_model.bin.index.json", "model.bin", "tf_model.h5", "flax_model.msgpack", "model.pt"];
        var found = Array.Find(foreign, file => File.Exists(Path.Combine(directory, file)));
        return new AsrException(found is null
            ? $"{directory} holds no weights: expected {SingleFile} or {IndexFile}."
            : $"{directory} has no safetensors weights, only {found}, which can run code when it is read and is refused. Convert it with transformers: save_pretrained(…, safe_serialization=True), or fetch the checkpoint's {SingleFile}.");
    }

    private void OpenSingle()
    {
        var file = SafetensorsFile.Open(Path.Combine(Directory, SingleFile));
        _files.Add(file);
        foreach (var (name, tensor) in file.Tensors)
        {
            _tensors.Add(name, tensor);
        }
    }

    private void OpenShards(ConfigFile index)
    {
        var map = index.OptionalTexts("weight_map") ?? throw index.Missing("weight_map", "an object of tensor names and shard files");
        var shards = new Dictionary<string, SafetensorsFile>(StringComparer.Ordinal);
        foreach (var (name, shard) in map)
        {
            if (!shards.TryGetValue(shard, out var file))
            {
                // Shards lie beside their index; a link there may lead elsewhere (the hub's cache is made of links), a name may not.
                if (shard.Length == 0 || shard is "." or ".." || shard.AsSpan().IndexOfAny("/\\:\0") >= 0)
                {
                    throw index.Wrong($"weight_map.{name}", SafetensorsFile.Quote(shard), "the name of a file in the same folder");
                }

                var path = Path.Combine(Directory, shard);
                if (!File.Exists(path))
                {
                    throw new AsrException($"{path} is missing: {index.Name} says that it holds {SafetensorsFile.Quote(name)}. Fetch all shards of the checkpoint.");
                }

                file = SafetensorsFile.Open(path);
                _files.Add(file);
                shards.Add(shard, file);
            }

            if (!file.Tensors.TryGetValue(name, out var tensor))
            {
                throw new AsrException($"{file.Path} has no tensor {SafetensorsFile.Quote(name)}, which {index.Name} says is there.");
            }

            _tensors.Add(name, tensor);
        }
    }
}
