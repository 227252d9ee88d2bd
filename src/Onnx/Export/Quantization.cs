using System.Numerics.Tensors;

namespace AsrPlatform.Onnx.Export;

/// <summary>Float weights as 8-bit integers with scales, symmetric about 0.</summary>
internal static class Quantization
{
    // ±127, not −128: symmetric, and the sum of two products of signed and unsigned bytes then overflows 16 bits less.
    private const float Limit = 127;

    /// <summary>The scale of each row: its largest magnitude becomes 127.</summary>
    /// <param name="values"><c>[row, column]</c>.</param>
    /// <param name="rows">Rows.</param>
    public static float[] RowScales(ReadOnlySpan<float> values, int rows)
    {
        var columns = values.Length / rows;
        var scales = new float[rows];
        for (var row = 0; row < rows; row++)
        {
            var largest = Math.Abs(TensorPrimitives.MaxMagnitude(values.Slice(row * columns, columns)));
            scales[row] = largest > 0 ? largest / Limit : 1;
        }

        return scales;
    }

    /// <summary>Each row in units of its scale, as signed bytes; the result is transposed where asked for.</summary>
    /// <param name="values"><c>[row, column]</c>.</param>
    /// <param name="scales"><c>[row]</c>.</param>
    /// <param name="transpose">Whether to return <c>[column, row]</c>.</param>
    public static byte[] Rows(ReadOnlySpan<float> values, ReadOnlySpan<float> scales, bool transpose)
    {
        var rows = scales.Length;
        var columns = values.Length / rows;
        var bytes = new byte[values.Length];
        for (var row = 0; row < rows; row++)
        {
            for (var column = 0; column < columns; column++)
            {
                var value = Round(values[(row * columns) + column] / scales[row]);
                bytes[transpose ? (column * rows) + row : (row * columns) + column] = (byte)(sbyte)value;
            }
        }

        return bytes;
    }

    /// <summary>Blocks of each row with a scale each, as <c>MatMulNBits</c> has them: unsigned bytes about 128, the last block filled with 128.</summary>
    /// <param name="values"><c>[row, column]</c>.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="block">Columns of a block.</param>
    /// <returns>Bytes <c>[row, block, column in block]</c> and scales <c>[row, block]</c>.</returns>
    public static (byte[] Values, float[] Scales) Blocks(ReadOnlySpan<float> values, int rows, int block)
    {
        var columns = values.Length / rows;
        var blocks = (columns + block - 1) / block;
        var bytes = new byte[checked(rows * blocks * block)];
        bytes.AsSpan().Fill(128);
        var scales = new float[rows * blocks];
        for (var row = 0; row < rows; row++)
        {
            for (var i = 0; i < blocks; i++)
            {
                var piece = values.Slice((row * columns) + (i * block), Math.Min(block, columns - (i * block)));
                var largest = Math.Abs(TensorPrimitives.MaxMagnitude(piece));
                var scale = largest > 0 ? largest / Limit : 1;
                var place = (row * blocks) + i;
                scales[place] = scale;
                for (var column = 0; column < piece.Length; column++)
                {
                    bytes[(place * block) + column] = (byte)(128 + Round(piece[column] / scale));
                }
            }
        }

        return (bytes, scales);
    }

    private static int Round(float value) => (int)Math.Clamp(MathF.Round(value), -Limit, Limit);
}
