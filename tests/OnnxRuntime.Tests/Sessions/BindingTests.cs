using System.Runtime;
using System.Runtime.CompilerServices;

namespace AsrPlatform.OnnxRuntime.Tests.Sessions;

public sealed class BindingTests
{
    [Fact]
    public void Binding_OfOneBufferToInputAndOutput_IsWrittenInPlace()
    {
        using var session = new InferenceSession(Graph.AddOne().ToModel());
        using var run = new RunOptions();
        using var buffer = OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, TensorElementType.Float, [1, 3]);
        buffer.GetTensorMutableDataAsSpan<float>().Clear();
        using var binding = session.CreateIoBinding();
        binding.BindInput("x", buffer);
        binding.BindOutput("y", buffer);
        for (var i = 0; i < 10; i++)
        {
            session.RunWithBinding(run, binding);
        }
        Assert.Equal([10f, 10, 10], buffer.GetTensorDataAsSpan<float>());
        Assert.Equal(["y"], binding.GetOutputNames());
        using var results = binding.GetOutputValues();
        Assert.Equal([10f, 10, 10], results[0].GetTensorDataAsSpan<float>());
    }

    [Fact]
    public void Output_BoundToAPlace_IsAllocatedAnewAtEachRun()
    {
        using var session = new InferenceSession(Graph.AddOne().ToModel());
        using var run = new RunOptions();
        using var binding = session.CreateIoBinding();
        binding.BindOutputToDevice("y", OrtMemoryInfo.DefaultInstance);
        using var one = OrtValue.CreateTensorValueFromMemory(new float[3], [1, 3]);
        binding.BindInput("x", one);
        using var first = session.RunWithBoundResults(run, binding);
        using var two = OrtValue.CreateTensorValueFromMemory([5f, 5, 5, 5, 5, 5], [2, 3]);
        binding.BindInput("x", two);
        binding.BindOutputToDevice("y", OrtMemoryInfo.DefaultInstance);
        using var second = session.RunWithBoundResults(run, binding);
        Assert.Equal([2, 3], second[0].GetTensorTypeAndShape().Shape);
        Assert.Equal([6f, 6, 6, 6, 6, 6], second[0].GetTensorDataAsSpan<float>());
        Assert.Equal([1f, 1, 1], first[0].GetTensorDataAsSpan<float>());
        binding.SynchronizeBoundInputs();
        binding.SynchronizeBoundOutputs();
    }

    [Fact]
    public void Binding_ThatIsCleared_HasNothing()
    {
        using var session = new InferenceSession(Graph.AddOne().ToModel());
        using var run = new RunOptions();
        using var binding = session.CreateIoBinding();
        using var buffer = OrtValue.CreateTensorValueFromMemory(new float[3], [1, 3]);
        binding.BindInput("x", buffer);
        binding.BindOutput("y", buffer);
        binding.ClearBoundInputs();
        Assert.Throws<OnnxRuntimeException>(() => session.RunWithBinding(run, binding));
        binding.ClearBoundOutputs();
        Assert.Empty(binding.GetOutputNames());
        Assert.Empty(binding.GetOutputValues());
    }

    [Fact]
    public void Memory_OfABoundValue_StaysPinnedAfterTheValueIsDisposedOf()
    {
        using var session = new InferenceSession(Graph.AddOne().ToModel());
        using var run = new RunOptions();
        using var binding = session.CreateIoBinding();
        var written = new float[3];
        Bind(binding, written);
        // Whatever is not pinned moves: the arrays before it are garbage.
        GCSettings.LargeObjectHeapCompactionMode = GCLargeObjectHeapCompactionMode.CompactOnce;
        GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        session.RunWithBinding(run, binding);
        Assert.Equal([1f, 1, 1], written);
        var result = binding.GetOutputValues();
        binding.Dispose();
        GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        Assert.Equal([1f, 1, 1], result[0].GetTensorDataAsSpan<float>());
        result.Dispose();
    }

    [Fact]
    public void Allocator_OfASession_GivesItsMemory()
    {
        var session = new InferenceSession(Graph.AddOne().ToModel());
        using var place = new OrtMemoryInfo("Cpu", OrtAllocatorType.DeviceAllocator, 0, OrtMemType.Default);
        Assert.Equal(("Cpu", 0, OrtMemType.Default, OrtAllocatorType.DeviceAllocator), (place.Name, place.Id, place.GetMemoryType(), place.GetAllocatorType()));
        var allocator = new OrtAllocator(session, place);
        using var value = OrtValue.CreateAllocatedTensorValue(allocator, TensorElementType.Int64, [4]);
        // The value keeps its allocator, which keeps its session.
        allocator.Dispose();
        session.Dispose();
        value.GetTensorMutableDataAsSpan<long>().Fill(7);
        Assert.Equal([7L, 7, 7, 7], value.GetTensorDataAsSpan<long>());
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Bind(OrtIoBinding binding, float[] written)
    {
        using var x = OrtValue.CreateTensorValueFromMemory(new float[3], [1, 3]);
        using var y = OrtValue.CreateTensorValueFromMemory(written, [1, 3]);
        binding.BindInput("x", x);
        binding.BindOutput("y", y);
    }
}
