using System.Runtime.InteropServices;
using AsrPlatform.OnnxRuntime.Diagnostics;
using AsrPlatform.OnnxRuntime.Interop;

namespace AsrPlatform.OnnxRuntime;

/// <summary>
/// Tensors that a session reads from and writes to, run after run, without naming them again: so that a cache is written in place.
/// </summary>
/// <remarks>
/// Made by <see cref="InferenceSession.CreateIoBinding"/>. Bound values, and so the memory that they pin, stay alive until they are unbound
/// or the binding is disposed of, also if the caller disposes of them. One thread at a time.
/// </remarks>
public sealed class OrtIoBinding : NativeObject
{
    private readonly Dictionary<string, SafeHandle> _inputs = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SafeHandle> _outputs = new(StringComparer.Ordinal);

    internal OrtIoBinding(InferenceSession session)
        : base(NativeKind.Binding)
    {
        using var of = new Lease(session.Native);
        Adopt(Ort.Get(134, of.Pointer));
        Keep(session.Native);
    }

    /// <summary>Binds a tensor to an input.</summary>
    /// <exception cref="OnnxRuntimeException">The model has no such input.</exception>
    public void BindInput(string name, OrtValue ortValue) => Bind(136, name, ortValue, _inputs);

    /// <summary>Binds a tensor to an output, which must have its type and shape at the run.</summary>
    /// <exception cref="OnnxRuntimeException">The model has no such output.</exception>
    public void BindOutput(string name, OrtValue ortValue) => Bind(137, name, ortValue, _outputs);

    /// <summary>Has an output allocated at a place at each run; <see cref="GetOutputValues"/> gives it.</summary>
    /// <exception cref="OnnxRuntimeException">The model has no such output.</exception>
    public void BindOutputToDevice(string name, OrtMemoryInfo memInfo)
    {
        using var self = new Lease(this);
        using var memory = new Lease(memInfo);
        Ort.Call(138, self.Pointer, name, memory.Pointer);
        Forget(_outputs, name);
    }

    /// <summary>Waits until the inputs have reached their device.</summary>
    public void SynchronizeBoundInputs()
    {
        using var self = new Lease(this);
        Ort.Call(202, self.Pointer);
    }

    /// <summary>Waits until the device has written the outputs.</summary>
    public void SynchronizeBoundOutputs()
    {
        using var self = new Lease(this);
        Ort.Call(203, self.Pointer);
    }

    /// <summary>The bound outputs in the order in which they were bound.</summary>
    public string[] GetOutputNames()
    {
        using var self = new Lease(this);
        return Ort.BoundOutputNames(self.Pointer);
    }

    /// <summary>The outputs of the last run in the order in which they were bound; the caller disposes of them.</summary>
    public IDisposableReadOnlyCollection<OrtValue> GetOutputValues()
    {
        using var self = new Lease(this);
        var names = Ort.BoundOutputNames(self.Pointer);
        // A result that lies in the memory of a bound value needs it for as long.
        return InferenceSession.Adopt(Ort.BoundOutputValues(self.Pointer), i => i < names.Length ? _outputs.GetValueOrDefault(names[i]) : null);
    }

    public void ClearBoundInputs()
    {
        using var self = new Lease(this);
        Ort.ClearBound(141, self.Pointer);
        ForgetAll(_inputs);
    }

    public void ClearBoundOutputs()
    {
        using var self = new Lease(this);
        Ort.ClearBound(142, self.Pointer);
        ForgetAll(_outputs);
    }

    private void Bind(int position, string name, OrtValue ortValue, Dictionary<string, SafeHandle> bound)
    {
        ArgumentNullException.ThrowIfNull(ortValue);
        using var self = new Lease(this);
        using var value = new Lease(ortValue.Native);
        Ort.Call(position, self.Pointer, name, value.Pointer);
        var taken = false;
        ortValue.Native.DangerousAddRef(ref taken);
        Forget(bound, name);
        bound[name] = ortValue.Native;
    }

    private static void Forget(Dictionary<string, SafeHandle> bound, string name)
    {
        if (bound.Remove(name, out var before))
        {
            before.DangerousRelease();
        }
    }

    private static void ForgetAll(Dictionary<string, SafeHandle> bound)
    {
        foreach (var value in bound.Values)
        {
            value.DangerousRelease();
        }
        bound.Clear();
    }

    private protected override void Release(nint native) => Ort.Release(135, native);

    private protected override void ReleaseKept()
    {
        ForgetAll(_inputs);
        ForgetAll(_outputs);
        base.ReleaseKept();
    }
}
