using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;

namespace AsrPlatform.Tests;

/// <summary>A C-ordered NumPy array read from a <c>.npy</c> file, its values widened to double.</summary>
internal sealed record NpyArray(int[] Shape, double[] Values)
{
    public float[] ToSingle() => Array.ConvertAll(Values, value => (float)value);

    public static NpyArray Read(string path)
    {
        var bytes = File.ReadAllBytes(path);
        Assert.Equal("NUMPY", Encoding.ASCII.GetString(bytes, 1, 5));
        var wide = bytes[6] > 1;
        var headerLength = wide ? BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(8)) : BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(8));
        var start = wide ? 12 : 10;
        var header = Encoding.ASCII.GetString(bytes, start, headerLength);
        Assert.Contains("'fortran_order': False", header, StringComparison.Ordinal);
        var type = Regex.Match(header, "'descr': '([^']+)'").Groups[1].Value;
        var shape = Regex.Match(header, @"'shape': \(([^)]*)\)").Groups[1].Value
            .Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(int.Parse).ToArray();
        var data = bytes.AsSpan(start + headerLength);
        double[] values = type switch
        {
            "<f4" => Array.ConvertAll(MemoryMarshal.Cast<byte, float>(data).ToArray(), value => (double)value),
            "<f2" => Array.ConvertAll(MemoryMarshal.Cast<byte, Half>(data).ToArray(), value => (double)value),
            "<f8" => MemoryMarshal.Cast<byte, double>(data).ToArray(),
            "<i4" => Array.ConvertAll(MemoryMarshal.Cast<byte, int>(data).ToArray(), value => (double)value),
            "<i8" => Array.ConvertAll(MemoryMarshal.Cast<byte, long>(data).ToArray(), value => (double)value),
            "|b1" or "|u1" => Array.ConvertAll(data.ToArray(), value => (double)value),
            _ => throw new NotSupportedException($"{path}: element type {type}"),
        };
        Assert.Equal(shape.Aggregate(1, (product, size) => product * size), values.Length);
        return new NpyArray(shape, values);
    }
}
