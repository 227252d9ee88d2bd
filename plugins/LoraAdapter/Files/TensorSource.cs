using System.Runtime.InteropServices;
using System.Text;
using AsrPlatform.Abstractions;
using AsrPlatform.LoraAdapter.Configuration;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Files;

namespace AsrPlatform.LoraAdapter.Files;

/// <summary>Where the values of an adapter's tensors come from.</summary>
internal abstract class TensorSource : IDisposable
{
    /// <summary>A tensor of the file.</summary>
    /// <param name="storedName">Its name there.</param>
    /// <param name="shape">The shape that it must have.</param>
    /// <param name="start">Makes the value that a fresh adapter starts from.</param>
    /// <returns>A new tensor, float32, on the processor.</returns>
    public abstract Tensor Get(string storedName, ReadOnlySpan<long> shape, Func<Tensor> start);

    /// <summary>Whether a tensor that not every file has is there; a fresh adapter has what its configuration asks for.</summary>
    public virtual bool Has(string storedName) => true;

    /// <inheritdoc />
    public abstract void Dispose();
}

/// <summary>Start values of a fresh adapter.</summary>
internal sealed class FreshTensors : TensorSource
{
    public override Tensor Get(string storedName, ReadOnlySpan<long> shape, Func<Tensor> start) => start();

    public override void Dispose()
    {
    }
}

/// <summary>The tensors of <c>adapter_model.safetensors</c>; every one must be asked for.</summary>
internal sealed class StoredTensors : TensorSource
{
    /// <summary>The file's name in a PEFT folder.</summary>
    public const string FileName = "adapter_model.safetensors";

    private readonly SafetensorsFile _file;
    private readonly HashSet<string> _unread;

    private StoredTensors(SafetensorsFile file)
    {
        _file = file;
        _unread = [.. file.Tensors.Keys];
    }

    /// <summary>Opens the file of a PEFT folder.</summary>
    /// <exception cref="AsrException">There is none, or it is broken.</exception>
    public static StoredTensors Open(string directory) => new(OpenFile(directory));

    /// <summary>As <see cref="Open"/>, the file itself. The caller disposes it.</summary>
    public static SafetensorsFile OpenFile(string directory)
    {
        var path = Path.Combine(directory, FileName);
        if (!File.Exists(path))
        {
            const string Pickle = "adapter_model.bin";
            throw new AsrException(File.Exists(Path.Combine(directory, Pickle))
                ? $"{directory} has its weights in {Pickle}, which can run code when it is read and is refused. Save the adapter with PEFT again, as safetensors."
                : $"{directory} is no PEFT adapter: it has no {FileName}.");
        }

        return SafetensorsFile.Open(path);
    }

    public override bool Has(string storedName) => _file.Tensors.ContainsKey(storedName);

    public override Tensor Get(string storedName, ReadOnlySpan<long> shape, Func<Tensor> start)
    {
        if (!_file.Tensors.TryGetValue(storedName, out var stored))
        {
            throw new AsrException($"{_file.Path} lacks the tensor {storedName}, which its {LoraConfig.FileName} asks for.");
        }

        if (!stored.Shape.SequenceEqual(shape))
        {
            throw new AsrException(
                $"{_file.Path}: {storedName} has the shape {stored.ShapeText}; [{string.Join(", ", shape.ToArray())}] fits the model and {LoraConfig.FileName}. "
                + "Is it an adapter of another model?");
        }

        _unread.Remove(storedName);
        var values = empty(shape.ToArray(), ScalarType.Float32);
        stored.CopyTo(MemoryMarshal.Cast<byte, float>(values.bytes));
        return values;
    }

    /// <summary>Makes sure that nothing is left.</summary>
    /// <exception cref="AsrException">A tensor belongs to nothing that the configuration adapts.</exception>
    public void RequireAllRead()
    {
        if (_unread.Count > 0)
        {
            var name = _unread.Order(StringComparer.Ordinal).First();
            throw new AsrException(
                $"{_file.Path}: {name} belongs to nothing that {LoraConfig.FileName} adapts in this model"
                + (_unread.Count > 1 ? $", and {_unread.Count - 1} more tensors." : "."));
        }
    }

    public override void Dispose() => _file.Dispose();

    /// <summary>Writes an adapter's folder, as PEFT does: its tensors and its configuration.</summary>
    /// <exception cref="AsrException">The folder cannot be made.</exception>
    public static void Write(string directory, LoraConfig config, IEnumerable<SafetensorsEntry> tensors)
    {
        try
        {
            Directory.CreateDirectory(directory);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"{directory} cannot be made: {error.Message}", error);
        }

        SafetensorsWriter.Write(Path.Combine(directory, FileName), tensors);
        AtomicFile.Write(Path.Combine(directory, LoraConfig.FileName), stream => stream.Write(Encoding.UTF8.GetBytes(config.ToJson())));
    }
}
