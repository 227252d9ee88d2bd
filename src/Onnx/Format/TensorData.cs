using AsrPlatform.Abstractions;
using Microsoft.Win32.SafeHandles;

namespace AsrPlatform.Onnx.Format;

/// <summary>A tensor's bytes, little-endian, C order: in memory, in a file, or made when they are asked for. Immutable.</summary>
public abstract class TensorData
{
    /// <summary>Number of bytes.</summary>
    public abstract long Length { get; }

    /// <summary>The bytes; those that are not in memory are read or computed anew by every call.</summary>
    /// <exception cref="AsrException">They cannot be read, or are more than 2 GiB.</exception>
    public abstract ReadOnlyMemory<byte> Load();

    /// <summary>Bytes in memory.</summary>
    public static TensorData Of(ReadOnlyMemory<byte> bytes) => new Memory(bytes);

    /// <summary>Bytes that are made when they are asked for.</summary>
    /// <param name="length">How many.</param>
    /// <param name="make">Makes them; the array must be of that length.</param>
    public static TensorData Computed(long length, Func<byte[]> make) => new Lazily(length, make);

    /// <summary>A part of a file, which must not change meanwhile.</summary>
    internal static TensorData InFile(string path, long offset, long length) => new Slice(path, offset, length);

    private sealed class Memory(ReadOnlyMemory<byte> bytes) : TensorData
    {
        public override long Length => bytes.Length;

        public override ReadOnlyMemory<byte> Load() => bytes;
    }

    private sealed class Lazily(long length, Func<byte[]> make) : TensorData
    {
        public override long Length => length;

        public override ReadOnlyMemory<byte> Load()
        {
            var bytes = make();
            return bytes.Length == length ? bytes : throw new InvalidOperationException($"A tensor of {length} bytes got {bytes.Length}.");
        }
    }

    private sealed class Slice(string path, long offset, long length) : TensorData
    {
        public override long Length => length;

        public override ReadOnlyMemory<byte> Load()
        {
            if (length > Array.MaxLength)
            {
                throw new AsrException($"{path}: a tensor of {length} bytes is more than can be read in one piece.");
            }

            try
            {
                using SafeFileHandle file = File.OpenHandle(path);
                var bytes = new byte[length];
                for (var done = 0; done < bytes.Length;)
                {
                    var read = RandomAccess.Read(file, bytes.AsSpan(done), offset + done);
                    if (read == 0)
                    {
                        throw new AsrException($"{path} is truncated: expected {length} bytes from {offset} on.");
                    }

                    done += read;
                }

                return bytes;
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                throw new AsrException($"{path} cannot be read: {error.Message}", error);
            }
        }
    }
}
