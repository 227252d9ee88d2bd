using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.IO.MemoryMappedFiles;
using System.Text;
using System.Text.Json;
using AsrPlatform.Abstractions;
using Microsoft.Win32.SafeHandles;

namespace AsrPlatform.Whisper.Checkpoints;

/// <summary>A safetensors file, memory-mapped and read-only: 8 bytes header length, a JSON header, then the tensors' bytes.</summary>
/// <remarks>
/// Everything in the header is checked against the file before it is used: a file that lies gives one <see cref="AsrException"/>.
/// The rules are the format's own: header of at most 100 MB, no duplicate names, tensors that cover the rest of the file without
/// overlap or hole. Safe for concurrent reads. Nothing may be read while or after <see cref="Dispose"/> runs. The file must not be
/// truncated while it is open (the system then ends the process): replace files by renaming, as <see cref="SafetensorsWriter"/> does.
/// </remarks>
public sealed unsafe class SafetensorsFile : IDisposable
{
    private const int LengthBytes = 8;

    /// <summary>The format's own limit.</summary>
    private const long MaxHeaderBytes = 100_000_000;

    private readonly Dictionary<string, SafetensorsTensor> _tensors = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _metadata = new(StringComparer.Ordinal);
    private readonly MemoryMappedFile _mapping;
    private readonly MemoryMappedViewAccessor _view;
    private readonly long _length;
    private byte* _base;

    private SafetensorsFile(string path, SafeFileHandle handle, long length)
    {
        Path = path;
        _length = length;
        MemoryMappedViewAccessor? view = null;
        _mapping = MemoryMappedFile.CreateFromFile(handle, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
        try
        {
            view = _view = _mapping.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read);
            byte* pointer = null;
            _view.SafeMemoryMappedViewHandle.AcquirePointer(ref pointer);
            _base = pointer + _view.PointerOffset;
        }
        catch
        {
            view?.Dispose();
            _mapping.Dispose();
            throw;
        }
    }

    /// <summary>The path it was opened by.</summary>
    public string Path { get; }

    /// <summary>The tensors by name.</summary>
    public IReadOnlyDictionary<string, SafetensorsTensor> Tensors => _tensors;

    /// <summary>The free-form texts of the header's <c>__metadata__</c>.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _metadata;

    /// <summary>Opens and checks a file. The caller disposes it.</summary>
    /// <exception cref="AsrException">The file is missing, unreadable or not a whole safetensors file; the message says where.</exception>
    public static SafetensorsFile Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path))
        {
            throw new AsrException($"{path} is a folder: a safetensors file was expected.");
        }

        SafeFileHandle? handle = null;
        SafetensorsFile? file = null;
        try
        {
            handle = System.IO.File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read, FileOptions.None);
            var length = RandomAccess.GetLength(handle);
            if (length < LengthBytes + 2)
            {
                throw new AsrException($"{path} is no safetensors file: it has {length} bytes, too few for a header. Fetch it again.");
            }

            file = new SafetensorsFile(path, handle, length);
            file.ReadHeader();
            return file;
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new AsrException($"{path} does not exist.", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            file?.Dispose();
            handle?.Dispose();
            throw new AsrException($"{path} cannot be read: {error.Message}", error);
        }
        catch
        {
            file?.Dispose();
            handle?.Dispose();
            throw;
        }
    }

    /// <summary>Looks a tensor up.</summary>
    /// <exception cref="AsrException">There is none of this name.</exception>
    public SafetensorsTensor this[string name] => _tensors.TryGetValue(name, out var tensor)
        ? tensor
        : throw new AsrException($"{Path} has no tensor {Quote(name)}.");

    /// <summary>Unmaps the file. Spans and addresses taken from it become invalid.</summary>
    public void Dispose()
    {
        if (_base is null)
        {
            return;
        }

        _base = null;
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _mapping.Dispose();
    }

    /// <summary>A name for a message: quoted, on one line, of bounded length.</summary>
    internal static string Quote(string name)
    {
        var text = new StringBuilder("\"");
        foreach (var c in name.AsSpan(0, Math.Min(name.Length, 120)))
        {
            text.Append(char.IsControl(c) || char.IsSurrogate(c) ? '\uFFFD' : c);
        }

        return text.Append(name.Length > 120 ? "…\"" : "\"").ToString();
    }

    internal nint AddressOf(long offset)
    {
        ObjectDisposedException.ThrowIf(_base is null, this);
        return (nint)(_base + offset);
    }

    internal ReadOnlySpan<byte> Slice(long offset, int count)
    {
        ObjectDisposedException.ThrowIf(_base is null, this);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, _length - count);
        return new ReadOnlySpan<byte>(_base + offset, count);
    }

    private void ReadHeader()
    {
        var headerLength = BinaryPrimitives.ReadUInt64LittleEndian(Slice(0, LengthBytes));
        if (headerLength > MaxHeaderBytes)
        {
            throw Broken($"its header claims {headerLength} bytes, more than the format's limit of {MaxHeaderBytes}");
        }

        if ((long)headerLength > _length - LengthBytes)
        {
            throw Broken($"its header claims {headerLength} bytes, but only {_length - LengthBytes} follow: the file is cut off or no safetensors file");
        }

        var header = Slice(LengthBytes, (int)headerLength);
        if (header.IsEmpty || header[0] != (byte)'{')
        {
            throw Broken("its header does not begin with '{'");
        }

        List<Extent> extents;
        try
        {
            extents = ParseHeader(header, LengthBytes + (long)headerLength);
        }
        catch (JsonException error)
        {
            throw Broken($"its header is no valid JSON (byte {LengthBytes + error.BytePositionInLine.GetValueOrDefault()}, line {error.LineNumber.GetValueOrDefault() + 1})", error);
        }
        catch (InvalidOperationException error)
        {
            // What Utf8JsonReader throws for a string that is not UTF-8.
            throw Broken("its header holds a text that is no valid UTF-8", error);
        }

        CheckCoverage(extents, _length - LengthBytes - (long)headerLength);
    }

    private List<Extent> ParseHeader(ReadOnlySpan<byte> header, long dataStart)
    {
        var reader = new Utf8JsonReader(header, new JsonReaderOptions { MaxDepth = 8 });
        var extents = new List<Extent>();
        var hasMetadata = false;
        reader.Read();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            var name = reader.GetString()!;
            reader.Read();
            if (name == "__metadata__")
            {
                if (hasMetadata)
                {
                    throw Broken("its header holds \"__metadata__\" twice");
                }

                hasMetadata = true;
                ReadMetadata(ref reader);
                continue;
            }

            extents.Add(ReadTensor(ref reader, name, dataStart));
        }

        // Spaces may follow for alignment; anything else makes this throw.
        while (reader.Read())
        {
        }

        return extents;
    }

    private void ReadMetadata(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw Broken("its \"__metadata__\" is no object");
        }

        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            var key = reader.GetString()!;
            reader.Read();
            if (reader.TokenType != JsonTokenType.String)
            {
                throw Broken($"its metadata {Quote(key)} is no text");
            }

            if (!_metadata.TryAdd(key, reader.GetString()!))
            {
                throw Broken($"its metadata holds {Quote(key)} twice");
            }
        }
    }

    private Extent ReadTensor(ref Utf8JsonReader reader, string name, long dataStart)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw Broken($"tensor {Quote(name)} is described by no object");
        }

        TensorElementType? type = null;
        long[]? shape = null;
        long[]? offsets = null;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            var key = reader.GetString();
            reader.Read();
            switch (key)
            {
                case "dtype" when type is null:
                    var typeName = reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
                    if (!TensorElementTypes.TryParse(typeName, out var known))
                    {
                        throw Broken($"tensor {Quote(name)} has the unknown type {(typeName is null ? "(no text)" : Quote(typeName))}");
                    }

                    type = known;
                    break;
                case "shape" when shape is null:
                    shape = ReadNumbers(ref reader, name, key);
                    break;
                case "data_offsets" when offsets is null:
                    offsets = ReadNumbers(ref reader, name, key);
                    break;
                default:
                    throw Broken($"tensor {Quote(name)} has {Quote(key!)} twice or unexpectedly");
            }
        }

        if (type is not { } elementType || shape is null || offsets is null)
        {
            throw Broken($"tensor {Quote(name)} lacks {(type is null ? "dtype" : shape is null ? "shape" : "data_offsets")}");
        }

        var dataLength = _length - dataStart;
        if (offsets.Length != 2 || offsets[0] > offsets[1] || offsets[1] > dataLength)
        {
            throw Broken($"tensor {Quote(name)} lies at bytes {string.Join("…", offsets.Take(3))} of {dataLength}: the file is cut off or broken");
        }

        long elements = 1;
        try
        {
            // An empty dimension makes the product 0 whatever the others are, but no partial product may overflow.
            foreach (var size in shape)
            {
                elements = checked(elements * size);
            }

            if (checked(elements * elementType.SizeBytes()) != offsets[1] - offsets[0])
            {
                throw Broken($"tensor {Quote(name)} of shape [{ShapeText(shape)}] and type {elementType.SafetensorsName()} should have {elements * elementType.SizeBytes()} bytes, but its offsets give it {offsets[1] - offsets[0]}");
            }
        }
        catch (OverflowException error)
        {
            throw Broken($"tensor {Quote(name)} has the impossible shape [{ShapeText(shape)}]", error);
        }

        if (!_tensors.TryAdd(name, new SafetensorsTensor(this, name, elementType, shape, elements, dataStart + offsets[0])))
        {
            throw Broken($"it holds tensor {Quote(name)} twice");
        }

        return new Extent(name, offsets[0], offsets[1]);
    }

    private long[] ReadNumbers(ref Utf8JsonReader reader, string tensor, string key)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            throw Broken($"tensor {Quote(tensor)}: {key} is no list");
        }

        var numbers = new List<long>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out var number) || number < 0)
            {
                throw Broken($"tensor {Quote(tensor)}: {key} holds something else than a whole number from 0 to 2^63 − 1");
            }

            numbers.Add(number);
        }

        return [.. numbers];
    }

    /// <summary>The tensors must cover the data from its start to its end, each byte once.</summary>
    private void CheckCoverage(List<Extent> extents, long dataLength)
    {
        extents.Sort((a, b) => a.Start != b.Start ? a.Start.CompareTo(b.Start) : a.End.CompareTo(b.End));
        long end = 0;
        string? previous = null;
        foreach (var extent in extents)
        {
            if (extent.Start != end)
            {
                throw Broken(extent.Start < end
                    ? $"tensor {Quote(extent.Name)} overlaps {Quote(previous!)}"
                    : $"bytes {end}…{extent.Start} of its data, before tensor {Quote(extent.Name)}, belong to no tensor");
            }

            end = extent.End;
            previous = extent.Name;
        }

        if (end != dataLength)
        {
            throw Broken($"its tensors end at byte {end} of its data, but {dataLength} bytes are there");
        }
    }

    private static string ShapeText(long[] shape) => string.Join(", ", shape.Take(8)) + (shape.Length > 8 ? ", …" : "");

    [SuppressMessage("Performance", "CA1859", Justification = "Thrown as what it is.")]
    private AsrException Broken(string what, Exception? cause = null) =>
        new($"{Path} is no valid safetensors file: {what}. Fetch or export it again.", cause);

    private readonly record struct Extent(string Name, long Start, long End);
}
