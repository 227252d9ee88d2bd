using System.Text;
using AsrPlatform.Abstractions;

namespace AsrPlatform.OnnxBackend.Graphs;

/// <summary>
/// What the outside of an ONNX file says, read without its weights: versions, and the external data that it refers to.
/// </summary>
/// <remarks>
/// Read before ONNX Runtime sees the file, because its own messages name neither the file that is short nor what to do, and because it
/// maps external data into memory.
/// </remarks>
internal sealed class OnnxFile
{
    // Field numbers of onnx.proto.
    private const int ModelIrVersion = 1;
    private const int ModelGraph = 7;
    private const int ModelOpsetImport = 8;
    private const int OpsetDomain = 1;
    private const int OpsetVersion = 2;
    private const int GraphInitializer = 5;
    private const int TensorName = 8;
    private const int TensorExternalData = 13;
    private const int EntryKey = 1;
    private const int EntryValue = 2;

    /// <summary>Longest name or path that is read.</summary>
    private const int LongestText = 1 << 16;

    private readonly FileStream _stream;
    private readonly Dictionary<string, (long Bytes, string Tensor)> _external = new(StringComparer.Ordinal);
    private bool _hasGraph;

    private OnnxFile(string path, FileStream stream)
    {
        Path = path;
        _stream = stream;
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>Version of the format.</summary>
    public long IrVersion { get; private set; }

    /// <summary>Version of ONNX's own operators.</summary>
    public long Opset { get; private set; }

    /// <summary>Reads a file and checks that it is whole, and that its external data is.</summary>
    /// <exception cref="AsrException">It is missing, no ONNX graph, cut, or refers to data that is not there; the message says which.</exception>
    public static OnnxFile Read(string path)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
            var file = new OnnxFile(path, stream);
            file.ReadModel();
            return file;
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new AsrException($"{path} is missing.", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"{path} cannot be read: {error.Message}", error);
        }
    }

    private void ReadModel()
    {
        if (_stream.Length == 0)
        {
            throw new AsrException($"{Path} is empty; expected an ONNX graph: fetch it again.");
        }

        ReadFields(_stream.Length, (field, length) =>
        {
            switch (field)
            {
                case ModelIrVersion when length is null:
                    IrVersion = ReadVarint(_stream.Length);
                    return true;
                case ModelOpsetImport when length is { } bytes:
                    ReadOpset(_stream.Position + bytes);
                    return true;
                case ModelGraph when length is { } bytes:
                    _hasGraph = true;
                    ReadGraph(_stream.Position + bytes);
                    return true;
                default:
                    return false;
            }
        });
        if (!_hasGraph || IrVersion == 0)
        {
            throw Corrupt("it names no version or holds no graph");
        }

        CheckExternalData();
    }

    private void ReadOpset(long end)
    {
        var domain = "";
        long version = 0;
        ReadFields(end, (field, length) =>
        {
            switch (field)
            {
                case OpsetDomain when length is { } bytes:
                    domain = ReadText(bytes);
                    return true;
                case OpsetVersion when length is null:
                    version = ReadVarint(end);
                    return true;
                default:
                    return false;
            }
        });
        if (domain is "" or "ai.onnx")
        {
            Opset = version;
        }
    }

    private void ReadGraph(long end) => ReadFields(end, (field, length) =>
    {
        if (field != GraphInitializer || length is not { } bytes)
        {
            return false;
        }

        ReadTensor(_stream.Position + bytes);
        return true;
    });

    private void ReadTensor(long end)
    {
        var name = "";
        Dictionary<string, string>? external = null;
        ReadFields(end, (field, length) =>
        {
            switch (field)
            {
                case TensorName when length is { } bytes:
                    name = ReadText(bytes);
                    return true;
                case TensorExternalData when length is { } bytes:
                    var (key, value) = ReadEntry(_stream.Position + bytes);
                    (external ??= new(StringComparer.Ordinal))[key] = value;
                    return true;
                default:
                    return false;
            }
        });
        if (external is null)
        {
            return;
        }

        if (!external.TryGetValue("location", out var location) || location.Length == 0)
        {
            throw Corrupt($"the tensor {name} lies in another file that is not named");
        }

        long offset = 0, size = 0;
        if ((external.TryGetValue("offset", out var text) && !long.TryParse(text, out offset))
            || (external.TryGetValue("length", out text) && !long.TryParse(text, out size))
            || offset < 0
            || size < 0
            || offset > long.MaxValue - size)
        {
            throw Corrupt($"the place of the tensor {name} in {location} is no number");
        }

        if (!_external.TryGetValue(location, out var known) || known.Bytes < offset + size)
        {
            _external[location] = (offset + size, name);
        }
    }

    private (string Key, string Value) ReadEntry(long end)
    {
        var (key, value) = ("", "");
        ReadFields(end, (field, length) =>
        {
            switch (field)
            {
                case EntryKey when length is { } bytes:
                    key = ReadText(bytes);
                    return true;
                case EntryValue when length is { } bytes:
                    value = ReadText(bytes);
                    return true;
                default:
                    return false;
            }
        });
        return (key, value);
    }

    private void CheckExternalData()
    {
        var folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(Path))!;
        foreach (var (location, (bytes, tensor)) in _external)
        {
            // A name may not lead out of the folder; a link there may (the hub's cache is made of links).
            if (System.IO.Path.IsPathRooted(location) || location.Split('/', '\\').Contains(".."))
            {
                throw new AsrException($"{Path} wants its tensor {tensor} from {location}; expected a file in its own folder.");
            }

            var file = new FileInfo(System.IO.Path.Combine(folder, location));
            if (!file.Exists)
            {
                throw new AsrException($"{file.FullName} is missing: {System.IO.Path.GetFileName(Path)} keeps its tensor {tensor} there. Fetch it too.");
            }

            // Where it is a link, the length is that of what it leads to.
            var length = file.LinkTarget is null ? file.Length : new FileInfo(file.ResolveLinkTarget(returnFinalTarget: true)!.FullName).Length;
            if (length < bytes)
            {
                throw new AsrException($"{file.FullName} is cut: it has {length} bytes; expected at least {bytes}, where {System.IO.Path.GetFileName(Path)} says that its tensor {tensor} ends. Fetch it again.");
            }
        }
    }

    /// <summary>Reads the fields of a message up to a position.</summary>
    /// <param name="end">Where it ends.</param>
    /// <param name="read">Is given a field's number and its length (null for a number); reads it and says so, or leaves it.</param>
    private void ReadFields(long end, Func<int, long?, bool> read)
    {
        while (_stream.Position < end)
        {
            var start = _stream.Position;
            var tag = ReadVarint(end);
            var field = tag >>> 3;
            if (field is 0 or > (1 << 29) - 1)
            {
                throw Corrupt($"byte {start} begins no field");
            }

            switch (tag & 7)
            {
                case 0:
                    if (!read((int)field, null))
                    {
                        ReadVarint(end);
                    }

                    break;
                case 1:
                    Skip(8, end, start);
                    break;
                case 2:
                    var length = ReadVarint(end);
                    var next = length < 0 || length > end - _stream.Position ? throw Cut(start) : _stream.Position + length;
                    if (!read((int)field, length))
                    {
                        _stream.Position = next;
                    }
                    else if (_stream.Position != next)
                    {
                        throw Corrupt($"the field at byte {start} is longer than it says");
                    }

                    break;
                case 5:
                    Skip(4, end, start);
                    break;
                default:
                    throw Corrupt($"byte {start} begins no field");
            }
        }
    }

    private void Skip(int bytes, long end, long start)
    {
        if (end - _stream.Position < bytes)
        {
            throw Cut(start);
        }

        _stream.Position += bytes;
    }

    private long ReadVarint(long end)
    {
        var start = _stream.Position;
        ulong value = 0;
        for (var shift = 0; shift < 70; shift += 7)
        {
            if (_stream.Position >= end)
            {
                throw Cut(start);
            }

            var part = _stream.ReadByte();
            if (part < 0)
            {
                throw Cut(start);
            }

            value |= shift < 64 ? (ulong)(part & 0x7f) << shift : 0;
            if (part < 0x80)
            {
                return (long)value;
            }
        }

        throw Corrupt($"byte {start} begins no number");
    }

    private string ReadText(long length)
    {
        if (length > LongestText)
        {
            throw Corrupt($"byte {_stream.Position} begins a name of {length} bytes");
        }

        var bytes = new byte[length];
        _stream.ReadExactly(bytes);
        return Encoding.UTF8.GetString(bytes);
    }

    private AsrException Cut(long position) => Corrupt($"it ends in the middle of what begins at byte {position} of {_stream.Length}");

    private AsrException Corrupt(string why) => new($"{Path} is no whole ONNX graph: {why}. Fetch it again.");
}
