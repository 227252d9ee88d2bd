using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace AsrPlatform.Whisper.Files;

/// <summary>Writes NumPy <c>.npy</c> files, format version 1.0.</summary>
public static class NpyWriter
{
    /// <summary>Writes a float32 array in C order, atomically.</summary>
    /// <param name="path">The file; its folder must exist.</param>
    /// <param name="values">The elements, last dimension fastest.</param>
    /// <param name="shape">The dimensions; their product is the number of values.</param>
    /// <exception cref="Abstractions.AsrException">The file cannot be written.</exception>
    public static void Write(string path, ReadOnlyMemory<float> values, params ReadOnlySpan<int> shape)
    {
        var elements = 1;
        var dimensions = new StringBuilder();
        foreach (var size in shape)
        {
            elements = checked(elements * size);
            dimensions.Append(CultureInfo.InvariantCulture, $"{size}, ");
        }

        ArgumentOutOfRangeException.ThrowIfNotEqual(values.Length, elements, nameof(values));

        // A tuple of one element keeps its comma: (5,), and longer ones have none at the end: (5, 3).
        var tuple = shape.Length == 1 ? $"{shape[0]}," : dimensions.ToString().TrimEnd(' ', ',');
        var header = $"{{'descr': '<f4', 'fortran_order': False, 'shape': ({tuple}), }}";

        // Magic (6), version (2), header length (2), header: a multiple of 64 with a line feed at the end.
        const int Prefix = 10;
        var total = (Prefix + header.Length + 1 + 63) / 64 * 64;
        var bytes = new byte[total];
        bytes[0] = 0x93;
        "NUMPY\u0001\0"u8.CopyTo(bytes.AsSpan(1));
        BitConverter.TryWriteBytes(bytes.AsSpan(8), (ushort)(total - Prefix));
        Encoding.ASCII.GetBytes(header.PadRight(total - Prefix - 1) + "\n", bytes.AsSpan(Prefix));
        AtomicFile.Write(path, stream =>
        {
            stream.Write(bytes);
            stream.Write(MemoryMarshal.AsBytes(values.Span));
        });
    }
}
