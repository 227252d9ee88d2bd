using System.Runtime.InteropServices;

namespace AsrPlatform.OnnxRuntime.Tests.Values;

public sealed class OrtValueTests
{
    [Fact]
    public void ManagedMemory_IsSharedAndNotCopied()
    {
        float[] data = [1, 2, 3, 4];
        using var value = OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, data.AsMemory(1, 2), [1, 2]);
        value.GetTensorMutableDataAsSpan<float>()[0] = 9;
        Assert.Equal([1f, 9, 3, 4], data);
        data[2] = 8;
        Assert.Equal([9f, 8], value.GetTensorDataAsSpan<float>());
        Assert.Equal(8, value.GetTensorMutableRawData().Length);
        var info = value.GetTensorTypeAndShape();
        Assert.Equal((TensorElementType.Float, 2L, 2), (info.ElementDataType, info.ElementCount, info.DimensionsCount));
    }

    [Fact]
    public unsafe void NativeMemory_IsSharedAndStaysTheCallers()
    {
        var memory = (long*)NativeMemory.AllocZeroed(4, 8);
        try
        {
            using (var value = OrtValue.CreateTensorValueWithData(OrtMemoryInfo.DefaultInstance, TensorElementType.Int64, [2, 2], (nint)memory, 32))
            {
                value.GetTensorMutableDataAsSpan<long>()[3] = 5;
            }
            Assert.Equal(5, memory[3]);
            Assert.Throws<OnnxRuntimeException>(() => OrtValue.CreateTensorValueWithData(OrtMemoryInfo.DefaultInstance, TensorElementType.Int64, [2, 2], (nint)memory, 31));
        }
        finally
        {
            NativeMemory.Free(memory);
        }
    }

    [Fact]
    public void EachElementType_HasItsDotNetType()
    {
        Check<float>(TensorElementType.Float);
        Check<byte>(TensorElementType.UInt8);
        Check<sbyte>(TensorElementType.Int8);
        Check<ushort>(TensorElementType.UInt16);
        Check<short>(TensorElementType.Int16);
        Check<int>(TensorElementType.Int32);
        Check<long>(TensorElementType.Int64);
        Check<bool>(TensorElementType.Bool);
        Check<Float16>(TensorElementType.Float16);
        Check<double>(TensorElementType.Double);
        Check<uint>(TensorElementType.UInt32);
        Check<ulong>(TensorElementType.UInt64);
        Check<BFloat16>(TensorElementType.BFloat16);

        static void Check<T>(TensorElementType type)
            where T : unmanaged
        {
            using var managed = OrtValue.CreateTensorValueFromMemory(new T[6], [2, 3]);
            Assert.Equal(type, managed.GetTensorTypeAndShape().ElementDataType);
            using var allocated = OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, type, [2, 3]);
            Assert.Equal(6, allocated.GetTensorMutableDataAsSpan<T>().Length);
            Assert.Equal(6 * Marshal.SizeOf<T>() / (typeof(T) == typeof(bool) ? 4 : 1), allocated.GetTensorMutableRawData().Length);
        }
    }

    [Fact]
    public void Shape_ThatDoesNotFit_IsRefused()
    {
        Assert.Contains("4 elements", Assert.Throws<OnnxRuntimeException>(() => OrtValue.CreateTensorValueFromMemory(new float[3], [2, 2])).Message, StringComparison.Ordinal);
        Assert.Throws<OnnxRuntimeException>(() => OrtValue.CreateTensorValueFromMemory(new float[3], [-1]));
        Assert.Throws<OnnxRuntimeException>(() => OrtValue.CreateTensorValueFromMemory(new float[3], [long.MaxValue, long.MaxValue]));
        Assert.Throws<OnnxRuntimeException>(() => OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, TensorElementType.Float, [long.MaxValue / 8, 8]));
        Assert.Throws<OnnxRuntimeException>(() => OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, TensorElementType.String, [1]));
    }

    [Fact]
    public void Elements_OfAnotherType_AreRefused()
    {
        using var value = OrtValue.CreateTensorValueFromMemory(new float[3], [3]);
        Assert.Contains("Single", Assert.Throws<OnnxRuntimeException>(() => value.GetTensorDataAsSpan<int>().Length).Message, StringComparison.Ordinal);
        Assert.Contains("Float16", Assert.Throws<OnnxRuntimeException>(() => OrtValue.CreateTensorValueFromMemory(new Half[1], [1])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Float16_HasTheBitsOfHalf()
    {
        for (var bits = 0; bits <= ushort.MaxValue; bits++)
        {
            var half = BitConverter.UInt16BitsToHalf((ushort)bits);
            Assert.Equal((float)half, new Float16((ushort)bits).ToFloat());
            if (!Half.IsNaN(half))
            {
                Assert.Equal((ushort)bits, ((Float16)(float)half).value);
            }
        }
    }

    [Theory]
    [InlineData(1f, 0x3F80)]
    [InlineData(1.00390625f, 0x3F80)]
    [InlineData(1.01171875f, 0x3F82)]
    [InlineData(-3.5f, 0xC060)]
    [InlineData(float.PositiveInfinity, 0x7F80)]
    [InlineData(float.MaxValue, 0x7F80)]
    public void BFloat16_IsRoundedToTheNearest(float number, int bits) => Assert.Equal((ushort)bits, ((BFloat16)number).value);

    [Fact]
    public void BFloat16_OfNaN_IsNaN() => Assert.True(float.IsNaN((float)(BFloat16)float.NaN));
}
